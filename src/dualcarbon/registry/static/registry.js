/* Prices by month: weighted mean as a line, lowest to highest as thin bars, volume below. Drawn from the script of data beside it. */
(() => {
  "use strict";
  const { soft, line, accent, ink, pale, font, fitted } = window.charts;
  const bare = { axisLine: { show: false }, axisTick: { show: false } };
  const yuan = (fen) => (fen / 100).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

  for (const box of document.querySelectorAll("[data-prices]")) {
    const { series, unit, volume, volume_unit, per } = JSON.parse(box.nextElementSibling.textContent);
    const months = [...new Set(series.map((one) => one.month))].sort();
    const years = [...new Set(series.map((one) => one.vintage || ""))];
    const at = (year, month) => series.find((one) => (one.vintage || "") === year && one.month === month);
    fitted(box, (chart) => {
      const narrow = box.clientWidth < 420;
      const lines = years.map((year, n) => ({
        type: "line", name: year || unit, symbolSize: 6, connectNulls: true, z: 5,
        data: months.map((month) => { const one = at(year, month); return one ? one.mean / 100 : null; }),
        itemStyle: { color: n ? soft : accent }, lineStyle: { color: n ? soft : accent, width: n ? 1.5 : 2.2 },
        endLabel: { show: true, formatter: (p) => `${year ? `${year} ` : ""}${p.value.toFixed(2)}`, color: n ? soft : accent, fontWeight: 600, fontSize: 12 },
      }));
      const spans = years.map((year) => ({
        type: "custom", silent: true, z: 3, data: months.map((month, x) => { const one = at(year, month); return one ? [x, one.low / 100, one.high / 100] : null; }).filter(Boolean),
        renderItem: (_, api) => {
          const low = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)]);
          return { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] + 0.01 }, style: { stroke: soft, lineWidth: 1.4, opacity: 0.6 } };
        },
      }));
      const bars = { type: "bar", xAxisIndex: 1, yAxisIndex: 1, barMaxWidth: 22, itemStyle: { color: pale }, data: months.map((month) => years.reduce((sum, year) => sum + ((at(year, month) || {}).volume || 0), 0) / per) };
      chart.setOption({
        textStyle: font, animation: false,
        grid: [{ left: 8, right: narrow ? 64 : 84, top: 30, height: "53%", containLabel: true }, { left: 8, right: narrow ? 64 : 84, bottom: 8, height: "18%", containLabel: true }],
        xAxis: [{ type: "category", data: months, ...bare, axisLine: { show: true, lineStyle: { color: line } }, axisLabel: { color: soft, fontSize: 12, hideOverlap: true } }, { type: "category", gridIndex: 1, data: months, ...bare, axisLabel: { show: false } }],
        yAxis: [{ type: "value", scale: true, name: unit, nameTextStyle: { color: soft, align: "left", fontSize: 12 }, splitNumber: 3, splitLine: { lineStyle: { color: line } }, ...bare, axisLabel: { color: soft, fontSize: 12 } }, { type: "value", gridIndex: 1, name: `${volume} ${volume_unit}`, nameTextStyle: { color: soft, align: "left", fontSize: 12 }, splitNumber: 1, splitLine: { show: false }, ...bare, axisLabel: { color: soft, fontSize: 11 } }],
        tooltip: { trigger: "axis", confine: true, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font },
          formatter: (points) => { const month = points[0].axisValue; return [month, ...years.map((year) => at(year, month)).filter(Boolean).map((one) => `${one.vintage || ""} <b>${yuan(one.mean)}</b> (${yuan(one.low)}–${yuan(one.high)}) ×${one.count}`)].join("<br>"); } },
        series: [...lines, ...spans, bars],
      }, true);
    });
  }
})();
