/* The balance of an account by day, as steps. The numbers stand beside it as a script of data and below it as a table. */
(() => {
  "use strict";
  const { soft, line, accent, ink, font, bare, escape, fitted } = window.charts;
  const grouped = (value) => window.charts.grouped(value, 0);

  for (const box of document.querySelectorAll("[data-balance]")) {
    const { days, unit } = JSON.parse(box.nextElementSibling.textContent);
    fitted(box, (chart) => chart.setOption({
      textStyle: font, animation: false,
      grid: { left: 8, right: 26, top: 28, bottom: 4, containLabel: true },
      xAxis: { type: "time", ...bare, axisLine: { show: true, lineStyle: { color: line } }, axisLabel: { color: soft, fontSize: 12, hideOverlap: true, formatter: { year: "{yyyy}", month: "{yyyy}-{MM}", day: "{MM}-{dd}", hour: "", minute: "", second: "", millisecond: "" } }, splitNumber: box.clientWidth < 420 ? 3 : 6 },
      yAxis: { type: "value", name: unit, nameTextStyle: { color: soft, align: "left", padding: [0, 0, 0, -6], fontSize: 12 }, splitNumber: 4, splitLine: { lineStyle: { color: line } }, ...bare, axisLabel: { color: soft, fontSize: 12, formatter: grouped } },
      tooltip: { trigger: "axis", confine: true, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font },
        formatter: ([point]) => `${escape(point.data.day)}<br><b>${grouped(point.data.balance)}</b> ${escape(unit)} (${point.data.change > 0 ? "+" : ""}${grouped(point.data.change)})` },
      series: [{ type: "line", step: "end", symbol: "circle", symbolSize: days.length > 60 ? 0 : 5, itemStyle: { color: accent }, lineStyle: { color: accent, width: 2 }, areaStyle: { color: accent, opacity: 0.08 },
        data: days.map((one) => ({ value: [`${one.day}T00:00:00`, one.balance], ...one })) }],
    }, true));
  }
})();
