import { useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ChartPlan } from './charts.ts';
import { loneValues } from './lone-values.ts';
import { clockTime } from './numbers.ts';
import { KEPT_MS, type Look, spanOf } from './samples.ts';

const HEIGHT_PX = 132;
/** Told apart without their colours, too. */
const DASHES: readonly number[][] = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

/** Values of each line, at these times, seconds since the epoch. */
interface Drawn {
  times: number[];
  lines: (number | null)[][];
}

function drawn(plan: ChartPlan, looks: readonly Look[]): Drawn {
  const spans = looks.map(({ sample }, index) => spanOf(looks[index - 1]?.sample, sample));
  return {
    times: looks.map(({ atMs }) => atMs / 1000),
    lines: plan.lines.map(({ read }) => spans.map((span) => (span === undefined ? null : read(span)))),
  };
}

/** The newest value of a line that says anything, no older than some seconds. */
function newest(column: readonly (number | null)[] = []): number | null {
  return column.slice(-5).findLast((value) => value !== null) ?? null;
}

/** Lines over the last minutes, their newest values as text beside their names. */
export function Chart({ plan, looks }: { plan: ChartPlan; looks: readonly Look[] }) {
  const { times, lines } = drawn(plan, looks);
  const place = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLDListElement>(null);
  const plot = useRef<uPlot | null>(null);
  const nowMs = looks.at(-1)?.atMs ?? Date.now();

  useLayoutEffect(() => {
    if (place.current === null || legend.current === null) return undefined;
    const made = draw(plan, place.current, legend.current);
    plot.current = made;
    const sizes = new ResizeObserver(([entry]) => {
      if (entry !== undefined) made.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT_PX });
    });
    sizes.observe(place.current);
    // Colours are read when it draws.
    const redraw = () => made.redraw();
    const themes = new MutationObserver(redraw);
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const darkness = matchMedia('(prefers-color-scheme: dark)');
    darkness.addEventListener('change', redraw);
    return () => {
      sizes.disconnect();
      themes.disconnect();
      darkness.removeEventListener('change', redraw);
      made.destroy();
    };
  }, [plan]);

  useLayoutEffect(() => {
    plot.current?.batch(() => {
      plot.current?.setData([times, ...lines], false);
      plot.current?.setScale('x', { min: (nowMs - KEPT_MS) / 1000, max: nowMs / 1000 });
    });
  });

  return (
    <section class="panel chart" aria-labelledby={`${plan.id}-title`}>
      <h3 id={`${plan.id}-title`}>
        {plan.title} <span class="muted unit">{plan.unit}</span>
      </h3>
      <dl ref={legend}>
        {plan.lines.map(({ label }, index) => {
          const value = newest(lines[index]);
          return (
            <div key={label} class={`line line-${index}`}>
              <dt>
                <svg viewBox="0 0 24 4" aria-hidden="true">
                  <title>{label}</title>
                  <line x1="0" x2="24" y1="2" y2="2" stroke-dasharray={DASHES[index]?.join(' ')} />
                </svg>
                {label}
              </dt>
              <dd class="numbers">{value === null ? '–' : plan.format(value)}</dd>
            </div>
          );
        })}
      </dl>
      <div ref={place} class="plot" aria-hidden="true" />
    </section>
  );
}

function draw(plan: ChartPlan, place: HTMLElement, legend: HTMLElement): uPlot {
  const colourOf = (selector: string) => () => {
    const element = legend.querySelector(selector) ?? legend;
    return getComputedStyle(element).color;
  };
  const axis = {
    stroke: colourOf(':scope'),
    grid: { stroke: () => getComputedStyle(legend).borderTopColor, width: 1 },
    ticks: { show: false },
  };
  const options: uPlot.Options = {
    width: Math.max(200, Math.floor(place.clientWidth)),
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 18, 0, 0],
    scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, max ? max * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        size: 24,
        space: 56,
        incrs: [60, 120, 300],
        values: (_plot, times) => times.map((time) => clockTime(time * 1000)),
      },
      { ...axis, size: 48, space: 28, values: (_plot, values) => values.map((value) => plan.format(value)) },
    ],
    series: [
      {},
      ...plan.lines.map((_line, index) => ({
        stroke: colourOf(`.line-${index}`),
        width: 1.75,
        dash: DASHES[index] ?? [],
        spanGaps: false,
        points: {
          show: true,
          size: 4,
          fill: colourOf(`.line-${index}`),
          filter: (plot: uPlot, series: number) => loneValues(Array.from(plot.data[series] ?? [])),
        },
      })),
    ],
  };
  return new uPlot(options, [[]], place);
}
