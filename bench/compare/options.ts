import { Command, InvalidArgumentError } from 'commander';

const PARTS = ['fan-out', 'windowed', 'one-to-one', 'json', 'stalled', 'slow-link', 'idle', 'reconnect'] as const;
type Part = (typeof PARTS)[number];

export interface CompareCommand {
  short: boolean;
  parts: ReadonlySet<Part>;
  /** Sizes of the fan-out, KB. */
  sizesKb: readonly number[];
  rounds: number;
  seconds: number;
  /** Whether `RESULTS.md` is written: only a whole run may. */
  writes: boolean;
}

interface RawOptions {
  short: boolean;
  only?: Part[];
  kb?: number[];
  rounds?: number;
  seconds?: number;
}

const DEFAULT_KB = [2, 10, 34, 100, 400];
const SHORT_KB = [34];

/** Reads the command line of `bench:compare`. Prints help or what is wrong, and ends the process, as commands do. */
export function readCompareCommand(argv: readonly string[]): CompareCommand {
  const command = new Command('bench:compare')
    .description(
      'Compares this router with bare uWebSockets.js, ws, Socket.IO and a Bun server under the same loads, and writes bench/RESULTS.md.',
    )
    .option('--short', 'under 90 seconds: two rounds, one size; writes nothing', false)
    .option('--only <parts>', `some of ${PARTS.join(',')}; writes nothing`, parts)
    .option('--kb <sizes>', 'sizes of the fan-out, comma-separated; writes nothing', sizes)
    .option('--rounds <n>', 'rounds; writes nothing', count)
    .option('--seconds <n>', 'measured time of each server in each round; writes nothing', count);
  command.parse([...argv], { from: 'user' });
  const { short, only, kb, rounds, seconds } = command.opts<RawOptions>();
  return {
    short,
    parts: new Set(only ?? (short ? ['fan-out', 'windowed', 'one-to-one', 'json'] : PARTS)),
    sizesKb: kb ?? (short ? SHORT_KB : DEFAULT_KB),
    rounds: rounds ?? (short ? 2 : 4),
    seconds: seconds ?? 1,
    writes: !short && [only, kb, rounds, seconds].every((option) => option === undefined),
  };
}

function parts(text: string): Part[] {
  return text.split(',').map((name) => {
    const part = PARTS.find((known) => known === name.trim());
    if (part === undefined) throw new InvalidArgumentError(`"${name}" is none of ${PARTS.join(', ')}.`);
    return part;
  });
}

function sizes(text: string): number[] {
  return text.split(',').map((size) => {
    const kb = Number(size);
    if (!(kb >= 0.4 && kb <= 16_000)) throw new InvalidArgumentError(`"${size}" is no size from 0.4 to 16000 KB.`);
    return kb;
  });
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1000)
    throw new InvalidArgumentError('a number from 1 to 1000 is wanted.');
  return value;
}
