// Draws the charts of a report from the JSON in the page, with the Chart.js that Unfold ships.
(() => {
  const dark = () => document.documentElement.classList.contains("dark");

  const palette = () => {
    const css = getComputedStyle(document.documentElement);
    const of = (name) => css.getPropertyValue(`--color-${name}`).trim();
    return {
      main: of(dark() ? "primary-500" : "primary-600"),
      before: of(dark() ? "base-500" : "base-400"),
      limit: dark() ? "#f59e0b" : "#b45309",
      text: of(dark() ? "base-300" : "base-600"),
      grid: of(dark() ? "base-800" : "base-200"),
    };
  };

  // Of A4 lying, between its margins, in CSS pixels.
  const PRINTED_WIDTH = 1030;
  const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const short = new Intl.NumberFormat("en", { notation: "compact" });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const shorten = (label, most) => (label.length > most ? `${label.slice(0, most - 1)}…` : label);

  const dataset = (series, kind, colours) => {
    const bars = kind === "bars" || kind === "columns";
    return {
      label: series.label,
      data: series.values,
      hints: series.hints,
      borderColor: colours[series.role],
      backgroundColor: colours[series.role],
      borderWidth: bars ? 0 : 2,
      borderDash: series.role === "main" ? [] : [5, 4],
      borderRadius: 2,
      pointRadius: series.values.length > 31 || bars ? 0 : 2,
      pointHitRadius: 12,
      stepped: kind === "steps",
      tension: 0,
    };
  };

  const options = (chart, colours, isPrint) => {
    const lying = chart.kind === "bars";
    const figures = {
      beginAtZero: true,
      border: { display: false },
      grid: { color: colours.grid },
      title: { display: true, text: chart.unit, color: colours.text },
      ticks: { color: colours.text, maxTicksLimit: 6, callback: (value) => short.format(value) },
    };
    const labels = {
      border: { color: colours.grid },
      grid: { display: false },
      ticks: {
        color: colours.text,
        autoSkip: !lying,
        maxRotation: 0,
        autoSkipPadding: 16,
        callback(value) {
          return shorten(this.getLabelForValue(value), this.chart.width < 480 ? 16 : 26);
        },
      },
    };
    return {
      animation: calm || isPrint ? false : { duration: 250 },
      responsive: true,
      maintainAspectRatio: false,
      indexAxis: lying ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: lying ? "y" : "x" },
      scales: lying ? { x: figures, y: labels } : { x: labels, y: figures },
      plugins: {
        legend: {
          display: chart.series.length > 1,
          align: "end",
          labels: { color: colours.text, boxWidth: 16, boxHeight: type(chart.kind) === "bar" ? 8 : 1 },
        },
        tooltip: {
          callbacks: {
            label: ({ dataset: { label, hints }, datasetIndex, dataIndex, raw }) => {
              const when = hints && hints[dataIndex] ? ` (${hints[dataIndex]})` : "";
              const gap = datasetIndex ? null : chart.gaps.find(({ place }) => place === dataIndex);
              const text = raw === null ? (gap?.text ?? "no data") : `${number.format(raw)} ${chart.unit}`;
              return `${label}${when}: ${text}`;
            },
          },
        },
      },
    };
  };

  // Days without data, across the whole height, behind the lines.
  const hatching = (gaps) => ({
    id: "hatching",
    beforeDatasetsDraw({ ctx, chartArea: { top, bottom, left, right }, scales: { x } }) {
      if (!gaps.length) return;
      const colours = palette();
      const half = Math.max((x.getPixelForValue(1) - x.getPixelForValue(0)) / 2, 3);
      for (const { place } of gaps) {
        const from = Math.max(x.getPixelForValue(place) - half, left);
        const to = Math.min(x.getPixelForValue(place) + half, right);
        ctx.save();
        ctx.beginPath();
        ctx.rect(from, top, to - from, bottom - top);
        ctx.clip();
        ctx.strokeStyle = colours.before;
        ctx.globalAlpha = 0.6;
        ctx.beginPath();
        for (let at = from - (bottom - top); at < to; at += 8) {
          ctx.moveTo(at, bottom);
          ctx.lineTo(at + bottom - top, top);
        }
        ctx.stroke();
        ctx.restore();
      }
    },
  });

  const type = (kind) => (kind === "bars" || kind === "columns" ? "bar" : "line");

  const draw = (isPrint = false) => {
    const source = document.getElementById("report-charts");
    const charts = source ? JSON.parse(source.textContent) : [];
    const colours = palette();
    for (const chart of charts) {
      const canvas = document.getElementById(chart.id);
      Chart.getChart(canvas)?.destroy();
      if (chart.kind === "bars") {
        canvas.parentElement.style.height = `${chart.labels.length * 34 + 90}px`;
      }
      new Chart(canvas, {
        type: type(chart.kind),
        data: {
          labels: chart.labels,
          datasets: chart.series.map((series) => dataset(series, chart.kind, colours)),
        },
        options: options(chart, colours, isPrint),
        plugins: [hatching(chart.gaps)],
      });
    }
    window.shelfCharts.others.forEach((drawOther) => drawOther());
  };

  // For pages that draw charts of their own: they are drawn with these, and again with the theme.
  window.shelfCharts = { palette, number, short, calm, hatching, others: [] };

  // The list of stores: narrowed by typing, closed by Escape or a click elsewhere.
  const stores = (details) => {
    const boxes = [...details.querySelectorAll("input[type=checkbox]")];
    const summary = details.querySelector("[data-stores-summary]");
    details.addEventListener("change", () => {
      const chosen = boxes.filter((box) => box.checked).length;
      summary.textContent = chosen ? `${chosen} chosen` : `All ${boxes.length}`;
    });
    details.querySelector("[data-stores-search]")?.addEventListener("input", (event) => {
      const text = event.target.value.trim().toLowerCase();
      for (const { parentElement: label } of boxes) {
        label.hidden = !label.textContent.toLowerCase().includes(text);
      }
    });
    details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      details.open = false;
      details.querySelector("summary").focus();
    });
    document.addEventListener("click", (event) => {
      if (!details.contains(event.target)) details.open = false;
    });
  };

  // Days that are still those of a preset are not sent: a saved view then goes with the time.
  const period = (preset) => {
    const days = [...preset.form.querySelectorAll("input[type=date]")];
    preset.form.addEventListener("formdata", ({ formData }) => {
      const isUnchanged = days.every((day) => day.value === day.defaultValue);
      (isUnchanged ? days : [preset]).forEach((input) => formData.delete(input.name));
    });
  };

  addEventListener("DOMContentLoaded", () => {
    Chart.defaults.font.family = "Inter, sans-serif";
    document.querySelectorAll("[data-stores]").forEach(stores);
    document.querySelectorAll("[data-preset]").forEach(period);
    let wasDark = dark();
    draw();
    document.fonts.ready.then(() => draw());  // legends are laid out by the width of their letters
    // Paper is white, and narrower than most screens.
    let isDarkOnScreen = false;
    addEventListener("beforeprint", () => {
      isDarkOnScreen = dark();
      document.documentElement.classList.remove("dark");
      wasDark = false;
      draw(true);
      const charts = Object.values(Chart.instances);
      const width = charts.length > 1 ? PRINTED_WIDTH / 2 - 40 : PRINTED_WIDTH - 40;
      for (const chart of charts) chart.resize(width, chart.height);
    });
    addEventListener("afterprint", () => {
      document.documentElement.classList.toggle("dark", isDarkOnScreen);
      wasDark = dark();
      draw();
    });
    // The theme can change while the page is open, and is set just after it has loaded.
    new MutationObserver(() => {
      if (dark() === wasDark) return;
      wasDark = dark();
      draw();
    }).observe(document.documentElement, { attributeFilter: ["class"] });
  });
})();
