import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { MIN_PICTURE_BYTES } from './pictures.ts';
import type { EncodingChoice, LoadPlan, LoadTarget, Pace } from './plan.ts';

export interface LoadCommand {
  plan: LoadPlan;
  /** Print the report as JSON on stdout, and nothing else there. */
  json: boolean;
  /** Where to write the page, or undefined. */
  htmlFile: string | undefined;
}

/** As commander hands them over: names as in the command line, values parsed. */
interface RawOptions {
  url: string;
  token?: string;
  remote: boolean;
  streams: number;
  viewers: number;
  kb: number;
  frames?: string;
  fps: number | 'max';
  inFlight: number;
  encoding: EncodingChoice;
  viewerEncoding?: EncodingChoice;
  windowed: number;
  window: number;
  slow: number;
  slowWindowed: number;
  slowKbit: number;
  stalled: number;
  alerts: number;
  seconds: number;
  ramp: number;
  warmUp: number;
  workers: number;
  json: boolean;
  html?: string;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Reads the command line of `bench:load`. Prints help or what is wrong, and ends the process, as commands do. */
export function readLoadCommand(argv: readonly string[]): LoadCommand {
  const command = loadOptions(new Command('bench:load'));
  command
    .description(
      'Loads a running router with encoders and viewers, and says what came through, how late, at what cost.',
    )
    .requiredOption('--url <url>', 'router, ws://host:port or http://host:port')
    .option('--token <token>', 'session token; without one BENCH_TOKEN of the environment')
    .option('--remote', 'allow a router that is not on this machine', false)
    .option('--json', 'print the report as JSON', false)
    .option('--html <file>', 'write the report as a page with charts');
  command.parse([...argv], { from: 'user' });
  const options = command.opts<RawOptions>();
  const target = loadTarget(command, options.url, options.token, options.remote);
  const shares = options.windowed + options.slow + options.slowWindowed + options.stalled;
  if (shares > 1) command.error('error: --windowed, --slow, --slow-windowed and --stalled are more than 1 together');
  return {
    plan: planOf(options, target),
    json: options.json,
    htmlFile: options.html,
  };
}

/** The router that `--url`, `--token` and `--remote` name. Only one on this machine, unless it was allowed. */
export function loadTarget(command: Command, address: string, token: string | undefined, remote: boolean): LoadTarget {
  const url = routerUrl(address);
  if (url === undefined) return command.error(`error: --url ${address} is no http, https, ws or wss URL`);
  if (!remote && !LOOPBACK.test(url.hostname)) {
    command.error(`error: ${url.hostname} is not this machine; with --remote the load goes there all the same`);
  }
  if (url.pathname !== '/' || url.search !== '') {
    command.error(
      `error: --url ${url.protocol}//${url.host} is enough: the paths are the protocol's, the token goes into --token`,
    );
  }
  return {
    url: url.origin === 'null' ? url.href : url.origin,
    dialect: 'watchout',
    token: token ?? process.env['BENCH_TOKEN'],
  };
}

/** The options that describe the load itself. */
function loadOptions(command: Command): Command {
  const encodings = ['msgpack', 'json', 'mixed'];
  return command
    .option('--streams <n>', 'streams, one encoder each', whole(1, 100_000), 1)
    .option('--viewers <n>', 'viewers of each stream', whole(0, 100_000), 10)
    .option('--kb <n>', 'size of a frame, 1000 bytes', number(MIN_PICTURE_BYTES / 1000, 16_000), 34)
    .option('--frames <folder>', 'send the JPEG files of this folder instead, in turn', folder)
    .option('--fps <n>', 'frames a second and stream, or "max"', fps, 10)
    .option('--in-flight <n>', 'with --fps max: frames on their way at a time', whole(1, 10_000), 4)
    .addOption(new Option('--encoding <e>', 'what encoders speak').choices(encodings).default('msgpack'))
    .addOption(new Option('--viewer-encoding <e>', 'what viewers speak; default as --encoding').choices(encodings))
    .option('--windowed <share>', 'share of viewers that acknowledge frames, 0 to 1', number(0, 1), 0)
    .option('--window <n>', 'frames in flight that those ask for', whole(1, 1000), 2)
    .option('--slow <share>', 'share of viewers that read slowly, 0 to 1', number(0, 1), 0)
    .option(
      '--slow-windowed <share>',
      'share of viewers that read slowly and acknowledge frames, 0 to 1',
      number(0, 1),
      0,
    )
    .option('--slow-kbit <n>', 'what slow ones read, kbit/s', number(1, 1e7), 1000)
    .option('--stalled <share>', 'share of viewers that read nothing, 0 to 1', number(0, 1), 0)
    .option('--alerts <n>', 'alerts a second, all streams together', number(0, 100_000), 0)
    .option('--seconds <n>', 'measured time', whole(1, 86_400), 10)
    .option('--ramp <seconds>', 'open the connections evenly over this time', number(0, 86_400), 0)
    .option('--warm-up <seconds>', 'let frames flow this long before measuring', number(0, 3600), 1)
    .option('--workers <n>', 'threads of the tool', whole(1, 256), Math.max(1, availableParallelism() - 1));
}

function planOf(options: RawOptions, target: LoadTarget): LoadPlan {
  const pace: Pace =
    options.fps === 'max' ? { kind: 'window', frames: options.inFlight } : { kind: 'fps', fps: options.fps };
  return {
    target,
    streams: options.streams,
    viewersPerStream: options.viewers,
    pictures:
      options.frames === undefined
        ? { kind: 'size', bytes: Math.round(options.kb * 1000) }
        : { kind: 'folder', path: options.frames },
    pace,
    encoderEncoding: options.encoding,
    viewerEncoding: options.viewerEncoding ?? options.encoding,
    shares: {
      windowed: options.windowed,
      slow: options.slow,
      'slow-windowed': options.slowWindowed,
      stalled: options.stalled,
    },
    window: options.window,
    slowBytesPerSecond: (options.slowKbit * 1000) / 8,
    viewerMicros: 0,
    alertsPerSecond: options.alerts,
    rampSeconds: options.ramp,
    warmUpSeconds: options.warmUp,
    seconds: options.seconds,
    workers: options.workers,
  };
}

function routerUrl(text: string): URL | undefined {
  if (!/^(https?|wss?):\/\//.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text.replace(/^http/, 'ws'));
}

/** Parses a number of an option. */
export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`a number from ${min} to ${max} is wanted.`);
    }
    return value;
  };
}

/** Parses a whole number of an option. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted.`);
    }
    return value;
  };
}

function fps(text: string): number | 'max' {
  return text === 'max' ? 'max' : number(0.01, 10_000)(text);
}

function folder(text: string): string {
  if (!existsSync(text)) throw new InvalidArgumentError('there is no such folder.');
  return text;
}
