/* The balance of an account by day, as steps. The numbers stand beside it as a script of data and below it as a table. */
(() => {
  "use strict";
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const soft = colour("soft"), line = colour("line"), accent = colour("accent"), ink = colour("ink");
  const font = { fontFamily: colour("sans") };
  const bare = { axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: soft, fontSize: 12 } };
  const grouped = (value) => value.toLocaleString("en-US").replace("-", "−");
  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  for (const box of document.querySelectorAll("[data-balance]")) {
    const { days, unit } = JSON.parse(box.nextElementSibling.textContent);
    const chart = echarts.init(box, null, { renderer: "svg" });
    const draw = () => {
      chart.setOption({
        textStyle: font, animation: false,
        grid: { left: 8, right: 14, top: 28, bottom: 4, containLabel: true },
        xAxis: { type: "time", ...bare, axisLine: { show: true, lineStyle: { color: line } }, axisLabel: { color: soft, fontSize: 12, hideOverlap: true, formatter: { year: "{yyyy}", month: "{yyyy}-{MM}", day: "{MM}-{dd}", hour: "", minute: "", second: "", millisecond: "" } }, splitNumber: box.clientWidth < 420 ? 3 : 6 },
        yAxis: { type: "value", name: unit, nameTextStyle: { color: soft, align: "left", padding: [0, 0, 0, -6], fontSize: 12 }, splitNumber: 4, splitLine: { lineStyle: { color: line } }, ...bare, axisLabel: { color: soft, fontSize: 12, formatter: grouped } },
        tooltip: { trigger: "axis", confine: true, borderColor: line, textStyle: { color: ink, fontSize: 12.5, ...font },
          formatter: ([point]) => `${escape(point.data.day)}<br><b>${grouped(point.data.balance)}</b> ${escape(unit)} (${point.data.change > 0 ? "+" : ""}${grouped(point.data.change)})` },
        series: [{ type: "line", step: "end", symbol: "circle", symbolSize: days.length > 60 ? 0 : 5, itemStyle: { color: accent }, lineStyle: { color: accent, width: 2 }, areaStyle: { color: accent, opacity: 0.08 },
          data: days.map((one) => ({ value: [`${one.day}T00:00:00`, one.balance], ...one })) }],
      }, true);
      chart.getZr().flush();
      // A view box lets the drawing shrink to a printed page.
      box.querySelector("svg").setAttribute("viewBox", `0 0 ${box.clientWidth} ${box.clientHeight}`);
    };
    draw();
    box.dataset.ready = "1";
    let width = box.clientWidth;
    new ResizeObserver(() => {
      if (box.clientWidth === width || !box.clientWidth) return;
      width = box.clientWidth;
      chart.resize();
      draw();
    }).observe(box);
  }
})();
