// Panels one above the other on one axis of days, from the JSON in the page. The left axes are
// as wide as each other, and a line at the pointer's day runs through all panels.
(() => {
  const AXIS = 84;
  const { palette, number, short, calm, hatching } = window.shelfCharts;
  const SIGNS = {
    critical: ["triangle", "#dc2626"],
    warning: ["rectRot", "#d97706"],
    info: ["circle", "#0284c7"],
    Handled: ["crossRot", "#64748b"],
    Resolved: ["circle", "#16a34a"],
    "Reorder point": ["rect", null],
  };
  let charts = [];
  let pointed = null;

  const day = (iso) => new Date(`${iso}T00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

  const dataset = (line, colours, isBroken) => {
    const colour = colours[line.role];
    const bar = line.kind === "columns";
    const area = line.kind === "area";
    return {
      type: bar ? "bar" : "line",
      label: line.label,
      data: line.values,
      borderColor: area ? "transparent" : colour,
      backgroundColor: area ? `color-mix(in srgb, ${colour} 16%, transparent)` : colour,
      fill: area ? "-1" : false,
      borderWidth: bar ? 0 : 2,
      borderDash: line.role === "limit" && line.kind === "steps" ? [5, 4] : [],
      pointRadius: line.kind === "line" && line.values.length <= 31 && line.role === "main" ? 2 : 0,
      pointHitRadius: 12,
      spanGaps: !isBroken,
      stepped: line.kind === "steps" || area,
      order: bar ? 1 : 0,
    };
  };

  const scales = (colours, last, y) => ({
    x: {
      type: "category",
      offset: true,
      border: { color: colours.grid },
      grid: { display: false },
      ticks: {
        display: last,
        color: colours.text,
        maxRotation: 0,
        autoSkipPadding: 16,
        callback(value) {
          return day(this.getLabelForValue(value));
        },
      },
    },
    y: {
      border: { display: false },
      grid: { color: colours.grid },
      afterFit: (axis) => {
        axis.width = AXIS;
      },
      ...y,
    },
  });

  const pointer = {
    id: "pointer",
    afterDraw(chart) {
      if (pointed === null) return;
      const { ctx, chartArea, scales } = chart;
      const x = scales.x.getPixelForValue(pointed);
      ctx.save();
      ctx.strokeStyle = palette().before;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      ctx.restore();
    },
    afterEvent(chart, { event }) {
      const inside = event.type === "mousemove" && event.x > chart.chartArea.left;
      const at = inside ? chart.scales.x.getValueForPixel(event.x) : event.type === "mouseout" ? null : pointed;
      if (at === pointed) return;
      pointed = at;
      for (const other of charts) if (other !== chart) other.draw();
    },
  };

  const shared = () => ({
    animation: calm ? false : { duration: 250 },
    responsive: true,
    maintainAspectRatio: false,
    layout: { padding: { right: 8 } },
  });

  const panel = (spec, { id, unit, lines, gaps }, colours, last) =>
    new Chart(document.getElementById(id), {
      data: { labels: spec.days, datasets: lines.map((line) => dataset(line, colours, gaps.length > 0)) },
      options: {
        ...shared(),
        interaction: { mode: "index", intersect: false },
        scales: scales(colours, last, {
          beginAtZero: true,
          ticks: { color: colours.text, maxTicksLimit: 5, callback: (value) => short.format(value) },
        }),
        plugins: {
          legend: { align: "end", labels: { color: colours.text, boxWidth: 16, boxHeight: 4 } },
          tooltip: {
            callbacks: {
              title: ([item]) => spec.names[item.dataIndex],
              label: ({ dataset: { label }, dataIndex, raw }) => {
                const gap = gaps.find(({ place }) => place === dataIndex);
                const nothing = gap ? gap.text : `– ${unit}`;
                return `${label}: ${raw === null ? nothing : `${number.format(raw)} ${unit}`}`;
              },
            },
          },
        },
      },
      plugins: [hatching(gaps), pointer],
    });

  const marks = (spec, colours) =>
    new Chart(document.getElementById("panel-marks"), {
      type: "line",
      data: {
        labels: spec.days,
        datasets: Object.entries(SIGNS).map(([sign, [pointStyle, colour]]) => ({
          data: spec.marks.filter((mark) => mark.sign === sign).map(({ day: x, lane: y, text }) => ({ x, y, text })),
          showLine: false,
          pointStyle,
          pointRadius: 6,
          pointHoverRadius: 8,
          pointHitRadius: 10,
          borderColor: colour ?? colours.main,
          backgroundColor: sign === "Resolved" ? "transparent" : (colour ?? colours.main),
          borderWidth: 2,
        })),
      },
      options: {
        ...shared(),
        interaction: { mode: "nearest", intersect: true },
        scales: scales(colours, true, {
          type: "category",
          labels: spec.lanes,
          offset: true,
          ticks: { color: colours.text, autoSkip: false, font: { size: 11 } },
        }),
        plugins: {
          legend: { display: false },
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => spec.names[spec.days.indexOf(item.raw.x)],
              label: ({ raw }) => raw.text,
            },
          },
        },
      },
      plugins: [pointer],
    });

  const draw = () => {
    const source = document.getElementById("report-timeline");
    if (!source) return;
    const spec = JSON.parse(source.textContent);
    const colours = palette();
    for (const chart of charts) chart.destroy();
    const last = spec.panels.length - 1;
    charts = spec.panels.map((each, index) => panel(spec, each, colours, index === last && !spec.marks.length));
    if (spec.marks.length) charts.push(marks(spec, colours));
  };

  window.shelfCharts.others.push(draw);
})();
