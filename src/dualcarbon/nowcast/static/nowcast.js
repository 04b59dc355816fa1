/* Charts of the quick-calc. Their numbers stand beside them as a script of data and below them as a table. */
(() => {
  "use strict";
  const { soft, line, accent, ink, font, bare, grouped: number, escape, fitted } = window.charts;
  const pale = "#b3c1bd";
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const signed = (value, digits) => (value >= 0.5 * 10 ** -digits ? "+" : "") + number(value, digits);
  const tooltip = { trigger: "axis", confine: true, axisPointer: { lineStyle: { color: "#cbd6d1" } }, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font } };
  const ground = (name, more = {}) => ({ type: "value", name, nameTextStyle: { color: soft, align: "left", padding: [0, 0, 0, -6], fontSize: 12 }, splitNumber: 4, splitLine: { lineStyle: { color: line } }, ...bare, ...more });
  const band = (low, high, opacity, stack) => [
    { type: "line", data: low, stack, lineStyle: { opacity: 0 }, symbol: "none", silent: true },
    { type: "line", data: high.map((v, n) => (v === null || low[n] === null ? null : v - low[n])), stack, lineStyle: { opacity: 0 }, areaStyle: { color: accent, opacity }, symbol: "none", silent: true },
  ];
  const base = (labels) => ({ type: "category", data: labels, boundaryGap: false, ...bare, axisLine: { show: true, lineStyle: { color: line } } });

  // Labels at the ends of two lines that lie close together are put apart, the higher one up.
  function apart(first, second, span) {
    const close = Math.abs(first - second) < 0.09 * span ? (first >= second ? -8 : 8) : 0;
    return [{ offset: [0, close] }, { offset: [0, -close] }];
  }

  function fan(data) {
    const f = data.scale.factor, rows = data.rows;
    const cut = rows.findIndex((one) => one.state !== "counted" && one.state !== "official" && one.low !== null);
    const from = cut < 0 ? rows.length : cut;
    const put = (take, start) => rows.map((one, n) => (n < start ? null : take(one)));
    const ends = (name) => put((one) => (one[name] === null ? one.value : one[name]) / f, Math.max(from - 1, 0));
    const counted = rows.map((one, n) => (n < from ? { value: one.value / f, href: one.href } : null));
    const guessed = put((one) => ({ value: one.value / f, href: one.href }), Math.max(from - 1, 0));
    const last = { show: true, formatter: (p) => number(p.value, data.scale.digits), color: accent, fontWeight: 600, fontSize: 12 };
    const series = [
      { type: "line", name: data.last, data: rows.map((one) => (one.last_year === null ? null : one.last_year / f)), symbol: "none", lineStyle: { color: pale, width: 1.4 }, itemStyle: { color: pale }, z: 2, endLabel: { show: true, formatter: "{a}", color: soft, fontSize: 12 }, labelLayout: { moveOverlap: "shiftY" } },
      { type: "line", name: data.counted, data: counted, symbol: "circle", symbolSize: 5, lineStyle: { color: accent, width: 2.4 }, itemStyle: { color: accent }, z: 5, endLabel: { ...last, show: from === rows.length }, labelLayout: { moveOverlap: "shiftY" } },
    ];
    if (from < rows.length) {
      series.unshift(...band(ends("low"), ends("high"), 0.12, "wide"), ...band(ends("low80"), ends("high80"), 0.16, "narrow"));
      series.push({ type: "line", name: data.estimated, data: guessed, symbol: "emptyCircle", symbolSize: 6, lineStyle: { color: accent, width: 2, type: [5, 4] }, itemStyle: { color: accent }, z: 6, endLabel: last, labelLayout: { moveOverlap: "shiftY" } });
    }
    return { xAxis: base(rows.map((one) => one.label)), yAxis: ground(data.scale.label, { scale: true }), series,
      tooltip: { ...tooltip, formatter: (points) => {
        const one = rows[points[0].dataIndex];
        const between = one.low === null ? "" : `<br>90% ${number(one.low / f, data.scale.digits)} – ${number(one.high / f, data.scale.digits)}`;
        const before = one.last_year === null ? "" : `<br>${escape(data.last)} ${number(one.last_year / f, data.scale.digits)}`;
        return `${escape(one.label)}<br><b>${number(one.value / f, data.scale.digits)}</b> ${escape(data.scale.label)}${between}${before}`;
      } } };
  }

  function year(data) {
    const f = data.scale.factor, rows = data.rows;
    const ends = rows[rows.length - 1], span = Math.max(...rows.map((one) => Math.max(one.value, one.high || 0, one.last_year || 0)), data.target || 0);
    const [up, down] = apart(ends.value, ends.last_year || 0, span);
    const now = { type: "line", name: data.words.now, data: rows.map((one) => ({ value: one.value / f, href: one.href })), symbol: "circle", symbolSize: 5, lineStyle: { color: accent, width: 2.4 }, itemStyle: { color: accent }, z: 5, endLabel: { ...up, show: true, formatter: (p) => `${data.words.now}  ${number(p.value, data.scale.digits)}`, color: accent, fontWeight: 600, fontSize: 12 }, labelLayout: { moveOverlap: "shiftY" } };
    if (data.target !== null) now.markLine = { symbol: "none", silent: true, data: [{ yAxis: data.target / f }], lineStyle: { color: colour("watch"), type: [4, 3], width: 1.4 }, label: { formatter: `${data.words.target} ${number(data.target / f, data.scale.digits)}`, color: colour("watch"), position: "insideStartTop", fontSize: 12 } };
    const last = { type: "line", name: data.words.last, data: rows.map((one) => (one.last_year === null ? null : one.last_year / f)), symbol: "none", lineStyle: { color: pale, width: 1.6 }, itemStyle: { color: pale }, endLabel: { ...down, show: true, formatter: (p) => `${data.words.last}  ${number(p.value, data.scale.digits)}`, color: soft, fontSize: 12 }, labelLayout: { moveOverlap: "shiftY" } };
    return { grid: { right: 104 }, xAxis: base(data.labels), yAxis: ground(data.scale.label), series: [...band(rows.map((one) => one.low / f), rows.map((one) => one.high / f), 0.16, "band"), last, now],
      tooltip: { ...tooltip, formatter: (points) => escape(points[0].axisValue) + points.filter((p) => p.seriesName === data.words.now || p.seriesName === data.words.last).map((p) => `<br>${p.marker}${escape(p.seriesName)} <b>${number(p.value, data.scale.digits)}</b>`).join("") } };
  }

  function waterfall(data, box) {
    const f = data.scale.factor;
    let now = data.before;
    const rows = [{ name: data.names[0], end: data.before, href: data.href[0] }];
    for (const step of data.steps) {
      rows.push({ name: step.name, start: now, end: now + step.value, href: step.href });
      now += step.value;
    }
    rows.push({ name: data.names[1], end: now, href: data.href[1] });
    const every = rows.flatMap((one) => (one.start === undefined ? [one.end] : [one.start, one.end])).map((v) => v / f);
    const span = Math.max(...every) - Math.min(...every) || 1;
    const floor = Math.min(...every) - 0.15 * span;
    const narrow = box.clientWidth < 480;
    // The axis does not begin at zero: the two totals stand as marks at their values, not as bars whose lengths would lie.
    const mark = 0.012 * span;
    return { grid: { left: 8, right: narrow ? 56 : 84, top: 6, bottom: 4 },
      xAxis: { type: "value", min: floor, max: Math.max(...every) + 0.06 * span, splitLine: { show: false }, ...bare, axisLabel: { show: false } },
      yAxis: { type: "category", inverse: true, data: rows.map((one) => one.name), ...bare, axisLabel: { color: ink, fontSize: 12.5, width: narrow ? 96 : 180, overflow: "break" } },
      series: [
        { type: "bar", stack: "all", silent: true, itemStyle: { color: "transparent" }, data: rows.map((one) => (one.start === undefined ? one.end / f - mark : Math.min(one.start, one.end) / f)), barWidth: "58%" },
        { type: "bar", stack: "all", barWidth: "58%", data: rows.map((one) => ({ href: one.href, value: one.start === undefined ? mark : Math.abs(one.end - one.start) / f, itemStyle: { color: one.start === undefined ? "#5d6b66" : one.end >= one.start ? colour("rise") : colour("fall"), borderRadius: 2 } })),
          label: { show: true, position: "right", color: ink, fontSize: 12, formatter: (p) => { const one = rows[p.dataIndex]; return one.start === undefined ? number(one.end / f, data.scale.digits) : signed((one.end - one.start) / f, data.scale.digits); } } },
      ],
      tooltip: { show: false } };
  }

  function errors(data) {
    const ends = data.rows[data.rows.length - 1], span = Math.max(...data.rows.flatMap((one) => [one.error_percent, one.last_value_error_percent]));
    const [up, down] = apart(ends.error_percent, ends.last_value_error_percent, span);
    const draw = (name, key, tone, width, at) => ({ type: "line", name, data: data.rows.map((one) => ({ value: one[key], href: one.href })), symbol: "circle", symbolSize: 5, lineStyle: { color: tone, width }, itemStyle: { color: tone }, endLabel: { ...at, show: true, formatter: (p) => `${p.seriesName} ${number(p.value, 1)}%`, color: tone === pale ? soft : tone, fontSize: 12 }, labelLayout: { moveOverlap: "shiftY" } });
    return { grid: { right: 112 }, xAxis: base(data.labels), yAxis: ground("%", { min: 0 }), series: [draw(data.words[1], "last_value_error_percent", pale, 1.6, down), draw(data.words[0], "error_percent", accent, 2.4, up)],
      tooltip: { ...tooltip, valueFormatter: (v) => (v === null ? "—" : `${number(v, 1)}%`) } };
  }

  const kinds = { fan, year, waterfall, errors };
  for (const box of document.querySelectorAll("[data-figure]")) {
    const data = JSON.parse(box.nextElementSibling.textContent);
    fitted(box, (chart) => {
      const made = kinds[box.dataset.figure](data, box);
      chart.setOption({ textStyle: font, animation: false, ...made, grid: { left: 8, right: 84, top: 26, bottom: 4, containLabel: true, ...made.grid } }, true);
      chart.off("click");
      chart.on("click", (point) => { if (point.data && point.data.href) window.openExplanation(point.data.href); });
    });
  }
})();
