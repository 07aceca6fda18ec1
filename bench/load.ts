import { writeFileSync } from 'node:fs';
import { renderHtml } from './load/html.ts';
import { LoadError } from './load/load-error.ts';
import { readLoadCommand } from './load/options.ts';
import { runLoad } from './load/run.ts';
import { reportTable, sampleLine } from './load/table.ts';

/**
 * What does a running router do under this load: what comes through, how late, and at what cost? `npm run bench:load -- --help`.
 * Figures go to stdout, progress to stderr. Exit code 1 when nothing could be measured.
 */

const { plan, json, htmlFile } = readLoadCommand(process.argv.slice(2));
const progress = (line: string) => void process.stderr.write(`${line}\n`);
try {
  const report = await runLoad(plan, { onProgress: progress, onSample: (sample) => progress(sampleLine(sample)) });
  process.stdout.write(`${json ? JSON.stringify(report, null, 2) : reportTable(report)}\n`);
  if (htmlFile !== undefined) {
    writeFileSync(htmlFile, renderHtml(report));
    progress(`written: ${htmlFile}`);
  }
} catch (error) {
  if (!(error instanceof LoadError)) throw error;
  progress(error.message);
  process.exitCode = 1;
}
