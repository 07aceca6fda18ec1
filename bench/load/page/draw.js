// Draws the charts of a load report with uPlot. What is drawn was decided in charts.ts and comes as JSON.

const HEIGHT_PX = 260;
const AXIS_FONT = '12px system-ui, sans-serif';
const TICK_LABEL_PX = 7;
const TICK_AND_GAP_PX = 18;
const AXIS_LABEL_PX = 22;
const MAX_BAR_PX = 24;
/** Of more seconds than this the lines are thin, or they would run into each other. */
const LONG_RUN_SECONDS = 600;
const SECONDS_BETWEEN_TICKS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400];
const RIGHT = 1;
const LEFT = 3;
const LOGARITHMIC = 3;

const { seconds, charts } = JSON.parse(document.querySelector('#drawing').textContent);
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** Pictures on the page: they are drawn anew where the colors change. */
let pictures = [];

function drawAll() {
  for (const { plot, watcher } of pictures) {
    watcher.disconnect();
    plot.destroy();
  }
  pictures = charts.filter((chart) => chart.lines.length > 0).map(draw);
}

function draw(chart) {
  const place = document.querySelector(`#plot-${chart.id}`);
  const legend = document.querySelector(`#legend-${chart.id}`);
  legend.replaceChildren();
  const stacked = chart.kind === 'stack';
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT_PX,
      padding: [12, chart.axes.length > 1 ? 0 : 12, 0, 0],
      // One cursor for all charts: what happened in this second?
      cursor: { y: false, sync: { key: 'second', setSeries: false }, points: { show: !stacked } },
      legend: {
        mount: (_plot, table) => legend.append(table),
        markers: {
          width: 3,
          dash: (_plot, index) => (chart.lines[index - 1]?.style === 'dashed' ? 'dashed' : 'solid'),
        },
      },
      scales: { x: { time: false, range: secondsRange }, ...Object.fromEntries(chart.axes.map(scale)) },
      series: [
        { label: 'second', value: (_plot, second) => (second === null ? '–' : formatNumber(second)) },
        ...chart.lines.map((line) => series(line, chart)),
      ],
      axes: [
        {
          ...axisStyle(),
          label: 'seconds of the run',
          labelSize: AXIS_LABEL_PX,
          size: 32,
          incrs: SECONDS_BETWEEN_TICKS,
          values: (_plot, values) => values.map(formatNumber),
        },
        ...chart.axes.map(axis),
      ],
      hooks: { setSeries: stacked ? [(self, _index, { show }) => show !== undefined && restack(self, chart)] : [] },
    },
    [seconds, ...(stacked ? stack(chart.lines, () => true) : chart.lines.map((line) => drawn(line, chart)))],
    place,
  );
  const watcher = new ResizeObserver(() => {
    if (place.clientWidth > 0) plot.setSize({ width: place.clientWidth, height: HEIGHT_PX });
  });
  watcher.observe(place);
  return { plot, watcher };
}

function series(line, chart) {
  const color = cssColor(line.color);
  const stacked = chart.kind === 'stack';
  return {
    label: line.label,
    scale: scaleKey(line.axis),
    stroke: color,
    width: stacked ? 0 : seconds.length > LONG_RUN_SECONDS ? 1 : 2,
    fill: stacked ? color : line.style === 'filled' ? `${color}26` : undefined,
    dash: line.style === 'dashed' ? [6, 4] : undefined,
    paths: stacked ? uPlot.paths.bars({ size: [0.8, MAX_BAR_PX] }) : undefined,
    points: { show: !stacked, size: 5, fill: color, filter: () => lonely(line.values) },
    // Not what is drawn, which may be stacked or cut: what was measured.
    value: (_plot, _drawn, _series, index) => withUnit(index === null ? null : line.values[index], line.unit),
  };
}

/** A second between two gaps is no line: it needs a point to be seen. */
function lonely(values) {
  const missing = (index) => (values[index] ?? null) === null;
  return values.flatMap((_value, index) =>
    !missing(index) && missing(index - 1) && missing(index + 1) ? [index] : [],
  );
}

function drawn(line, chart) {
  const floor = chart.axes[line.axis].logFrom;
  return floor === undefined
    ? line.values
    : line.values.map((value) => (value === null ? null : Math.max(value, floor)));
}

/** Each line on top of those after it: the highest is drawn first, and the others over it. */
function stack(lines, isShown) {
  let below = seconds.map(() => 0);
  return lines
    .toReversed()
    .map((line, index) => {
      if (isShown(lines.length - 1 - index)) below = below.map((height, second) => height + line.values[second]);
      return below;
    })
    .toReversed();
}

function restack(plot, chart) {
  const { min, max } = plot.scales.x;
  plot.setData([seconds, ...stack(chart.lines, (index) => plot.series[index + 1].show)], false);
  plot.setScale('x', { min, max });
}

/** Half a second of space on both sides, for the first and the last bar; none where somebody zoomed in. */
function secondsRange(_plot, min, max) {
  const first = seconds[0];
  const last = seconds.at(-1);
  return min <= first && max >= last ? [first - 0.5, last + 0.5] : [min, max];
}

function scaleKey(axisIndex) {
  return axisIndex === 0 ? 'left' : 'right';
}

function scale({ logFrom, headroom }, index) {
  if (logFrom === undefined)
    return [scaleKey(index), { range: (_plot, _min, max) => [0, max > 0 ? max * (1 + headroom) : 1] }];
  return [
    scaleKey(index),
    { distr: LOGARITHMIC, range: (_plot, min, max) => uPlot.rangeLog(min ?? logFrom, max ?? 1, 10, true) },
  ];
}

function axis({ label, logFrom }, index) {
  return {
    ...axisStyle(),
    scale: scaleKey(index),
    side: index === 0 ? LEFT : RIGHT,
    label,
    labelSize: AXIS_LABEL_PX,
    size: (_plot, labels) =>
      TICK_AND_GAP_PX + TICK_LABEL_PX * Math.max(2, ...(labels ?? []).map((text) => text?.length ?? 0)),
    values: shortNumbers,
    grid: {
      ...gridStyle(),
      // The lines of two axes would not fall together.
      show: index === 0,
      filter: (_plot, values) => (logFrom === undefined ? values : values.map(powerOfTenOrNull)),
    },
  };
}

function powerOfTenOrNull(value) {
  const exponent = Math.log10(value);
  return Math.abs(exponent - Math.round(exponent)) < 1e-9 ? value : null;
}

function gridStyle() {
  return { stroke: cssColor('--grid'), width: 1 };
}

function axisStyle() {
  return {
    stroke: cssColor('--muted'),
    font: AXIS_FONT,
    labelFont: AXIS_FONT,
    labelGap: 2,
    grid: gridStyle(),
    ticks: { ...gridStyle(), size: 4 },
  };
}

function shortNumbers(_plot, values) {
  return values.map((value) => (value === null ? null : short.format(value)));
}

function formatNumber(value) {
  return (Math.abs(value) >= 100 ? whole : precise).format(value);
}

function withUnit(value, unit) {
  return value === null || value === undefined ? '–' : `${formatNumber(value)}\u00a0${unit}`;
}

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

drawAll();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
