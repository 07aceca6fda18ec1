import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { loadTarget, number, whole } from '../load/options.ts';
import type { LoadTarget } from '../load/plan.ts';

export interface CapacityCommand {
  /** Undefined: a router of its own. */
  target: LoadTarget | undefined;
  raise: 'viewers' | 'streams';
  start: number;
  max: number;
  kb: number;
  fps: number;
  limitMs: number;
  seconds: number;
  workers: number;
}

interface RawOptions extends Omit<CapacityCommand, 'target'> {
  url?: string;
  token?: string;
  remote: boolean;
}

/** Reads the command line of `bench:capacity`. Prints help or what is wrong, and ends the process, as commands do. */
export function readCapacityCommand(argv: readonly string[]): CapacityCommand {
  const command = new Command('bench:capacity')
    .description(
      'Raises viewers (or streams) step by step until latency passes a limit or frames are lost, and says in one sentence what was carried.',
    )
    .option(
      '--url <url>',
      'a running router; without one it starts its own; with no option at all it writes bench/RESULTS.md',
    )
    .option('--token <token>', 'session token; without one BENCH_TOKEN of the environment')
    .option('--remote', 'allow a router that is not on this machine', false)
    .addOption(
      new Option('--raise <what>', 'viewers of one stream, or streams with one viewer each')
        .choices(['viewers', 'streams'])
        .default('viewers'),
    )
    .option('--start <n>', 'the first step', whole(1, 100_000), 100)
    .option('--max <n>', 'no more than this', whole(1, 100_000), 8_000)
    .option('--kb <n>', 'size of a frame, 1000 bytes', number(0.4, 16_000), 34)
    .option('--fps <n>', 'frames a second and stream', number(0.01, 1000), 10)
    .option(
      '--limit-ms <n>',
      'p99 latency, from the moment a frame was due, that is still good',
      number(1, 60_000),
      200,
    )
    .option('--seconds <n>', 'measured time of a step', whole(1, 3600), 4)
    .option('--workers <n>', 'threads of the tool', whole(1, 256), Math.max(1, availableParallelism() - 1));
  command.parse([...argv], { from: 'user' });
  const { url, token, remote, ...rest } = command.opts<RawOptions>();
  if (rest.max < rest.start) command.error(`error: --max ${rest.max} is less than --start ${rest.start}`);
  return { ...rest, target: url === undefined ? undefined : loadTarget(command, url, token, remote) };
}
