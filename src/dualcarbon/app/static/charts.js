/* Charts with an axis of time. Their numbers stand beside them as a script of data and below them as a table.
   `window.charts` has what the rooms' own charts share: colours, numbers, and a drawing that keeps to its box. */
(() => {
  "use strict";
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const soft = colour("soft"), line = colour("line"), accent = colour("accent"), ink = colour("ink");
  const font = { fontFamily: colour("sans") };
  const bare = { axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: soft, fontSize: 12 } };
  const grouped = (value, digits) => value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative" }).replace("-", "−");
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  // `draw` sets the options of the box's chart, now and whenever its size changes.
  function fitted(box, draw) {
    const chart = echarts.init(box, null, { renderer: "svg" });
    const again = () => {
      draw(chart);
      chart.getZr().flush();
      // A view box lets the drawing shrink to a printed page.
      box.querySelector("svg").setAttribute("viewBox", `0 0 ${box.clientWidth} ${box.clientHeight}`);
    };
    again();
    box.dataset.ready = "1";
    let width = box.clientWidth, height = box.clientHeight;
    new ResizeObserver(() => {
      // A page that is printed shrinks the drawing by its view box.
      const same = box.clientWidth === width && box.clientHeight === height;
      if (same || !box.clientWidth || matchMedia("print").matches) return;
      width = box.clientWidth;
      height = box.clientHeight;
      chart.resize();
      again();
    }).observe(box);
    return again;
  }
  window.charts = { soft, line, accent, ink, pale: colour("c3"), font, bare, grouped, escape, fitted };

  const tones = [colour("c2"), "#8fa3a0", accent];

  function path(chart, box, data, mode) {
    const scale = data[mode];
    const years = data.years;
    const series = [];
    const narrow = box.clientWidth < 420;
    const cells = years.map((one) => {
      let sum = 0;
      return one.months.map((month) => {
        if (!month || month.value === null) return null;
        sum += month.value;
        if (mode === "monthly" && !month.whole) return null;
        return { value: (mode === "cumulative" ? sum : month.value) / scale.factor, href: month.href,
          low: mode === "monthly" && month.low !== null ? month.low / scale.factor : null,
          high: mode === "monthly" && month.high !== null ? month.high / scale.factor : null };
      });
    });
    years.forEach((one, n) => {
      const now = one.now;
      const tone = now ? accent : n === years.length - 2 ? "#7d918e" : "#bccac6";
      if (now && cells[n].some((cell) => cell && cell.low !== null)) {
        series.push({ type: "line", data: cells[n].map((c) => (c ? c.low : null)), stack: "band", lineStyle: { opacity: 0 }, symbol: "none", silent: true });
        series.push({ type: "line", data: cells[n].map((c) => (c && c.high !== null ? c.high - c.low : null)), stack: "band", lineStyle: { opacity: 0 }, areaStyle: { color: accent, opacity: 0.13 }, symbol: "none", silent: true });
      }
      series.push({
        type: "line", name: String(one.year), data: cells[n].map((c) => (c ? { value: c.value, href: c.href } : null)),
        symbol: "circle", symbolSize: now ? 6 : 4, showSymbol: now, itemStyle: { color: tone }, z: now ? 5 : 3,
        lineStyle: { color: tone, width: now ? 2.4 : 1.6, type: now ? "solid" : n === years.length - 2 ? "solid" : [4, 3] },
        endLabel: { show: true, formatter: (p) => (mode === "cumulative" ? `${one.year}  ${grouped(p.value, scale.digits)}` : String(one.year)), color: now ? accent : soft, fontWeight: now ? 600 : 400, fontSize: 12 },
        labelLayout: { moveOverlap: "shiftY" }, emphasis: { focus: "series" },
      });
    });
    chart.setOption({
      textStyle: font, animation: false, aria: { enabled: false },
      grid: { left: 8, right: mode === "cumulative" ? (narrow ? 84 : 108) : 52, top: 26, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: data.labels, boundaryGap: false, ...bare, axisLine: { show: true, lineStyle: { color: line } } },
      yAxis: { type: "value", name: scale.label, nameTextStyle: { color: soft, align: "left", padding: [0, 0, 0, -6], fontSize: 12 }, scale: mode === "monthly", splitNumber: 4, splitLine: { lineStyle: { color: line } }, ...bare, axisLabel: { color: soft, fontSize: 12, formatter: (v) => grouped(v, Number.isInteger(v) ? 0 : 1) } },
      tooltip: { trigger: "axis", confine: true, axisPointer: { lineStyle: { color: "#cbd6d1" } }, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font },
        formatter: (points) => escape(points[0].axisValue) + points.filter((p) => p.seriesName && p.value !== undefined && p.value !== null && /^\d/.test(p.seriesName)).reverse()
          .map((p) => `<br>${p.marker}${p.seriesName} <b>${grouped(p.value, scale.digits)}</b> ${escape(scale.label)}`).join("") },
      series,
    }, true);
    chart.off("click");
    chart.on("click", (point) => { if (point.data && point.data.href) window.openExplanation(point.data.href); });
  }

  function history(chart, box, data) {
    const years = [...new Set(data.series.flatMap((one) => Object.keys(one.points)))].sort();
    const narrow = box.clientWidth < 420;
    const palette = [accent, "#c9793d", "#2f5d7c"];
    const tone = (n) => palette[n] || "#9aa8a5";
    chart.setOption({
      textStyle: font, animation: false,
      grid: { left: 8, right: narrow ? 106 : 150, top: 14, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: years, boundaryGap: false, ...bare, axisLine: { show: true, lineStyle: { color: line } } },
      yAxis: { type: "value", scale: true, splitLine: { lineStyle: { color: line } }, ...bare },
      tooltip: { trigger: "axis", confine: true, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font } },
      series: data.series.map((one, n) => ({
        type: "line", name: one[data.lang] || one.zh, symbolSize: 5, connectNulls: true,
        data: years.map((year) => (one.points[year] ? one.points[year].value : null)),
        z: 20 - n, itemStyle: { color: tone(n) }, lineStyle: { color: tone(n), width: n > 2 ? 1 : n ? 1.8 : 2.4 },
        endLabel: { show: true, formatter: "{a}", color: n > 2 ? soft : tone(n), fontSize: 11.5, fontWeight: n > 2 ? 400 : 600, width: narrow ? 100 : 140, overflow: "truncate" }, labelLayout: { moveOverlap: "shiftY" },
      })),
    }, true);
  }

  for (const box of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(box.nextElementSibling.textContent);
    let mode = data.mode || "cumulative";
    const draw = fitted(box, (chart) => (box.dataset.chart === "path" ? path(chart, box, data, mode) : history(chart, box, data)));
    for (const button of box.closest(".card").querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => {
        mode = button.dataset.mode;
        for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
        draw();
      });
    }
  }
})();
