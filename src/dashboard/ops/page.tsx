import { useEffect } from 'preact/hooks';
import { Bar } from '../common/bar.tsx';
import { Chart } from './chart.tsx';
import { CHARTS } from './charts.ts';
import { watchConnections } from './connection-watch.ts';
import { Connections } from './connections.tsx';
import { Facts } from './facts.tsx';
import { headline } from './headline.ts';
import { looks, watchRouter } from './router-watch.ts';

/** The whole page. */
export function OpsPage() {
  useEffect(watchRouter, []);
  useEffect(watchConnections, []);
  const { words, state } = headline({ looks: looks.value, nowMs: Date.now() });
  const stats = looks.value.findLast(({ sample }) => sample !== undefined)?.sample?.stats;
  const shown = CHARTS.filter(({ isShown }) => stats === undefined || (isShown?.(stats) ?? true));
  return (
    <>
      <Bar page="Router" state={state} />
      <main class="ops">
        <p id="headline" class="panel state headline" data-mood={state.mood}>
          {words}
        </p>
        {stats === undefined ? null : <Facts stats={stats} />}
        <Connections />
        <section aria-labelledby="charts-title">
          <h2 id="charts-title">The last five minutes</h2>
          <div class="charts">
            {shown.map((plan) => (
              <Chart key={plan.id} plan={plan} looks={looks.value} />
            ))}
          </div>
        </section>
      </main>
    </>
  );
}
