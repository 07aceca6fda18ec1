import { type Command, InvalidArgumentError, Option } from 'commander';
import { ALL_STREAMS, STREAM_ID_PATTERN, VIEWER_FPS } from '../../proto/limits.ts';
import { ExitCode, Failure } from './failure.ts';
import { number, whole } from './numbers.ts';
import { addRouterOptions, type RouterOptions, routerAddress, TOKEN_HELP } from './router-options.ts';

/** `watch`, as the command line has it. */
export interface WatchOptions extends RouterOptions {
  save?: string;
  maxFiles: number;
  alerts?: true;
  json?: true;
  seconds?: number;
  maxFps?: (typeof VIEWER_FPS)[number];
}

/** How `npm run watch` always said it. */
interface OldNames {
  stream?: string;
  url?: string;
}

const HELP = `
Examples:
  $ watchout-router watch gate
  $ watchout-router watch '*' --alerts                      the alerts of all your streams
  $ watchout-router watch gate --save ./pictures --max-fps 1
  $ watchout-router watch gate --json --seconds 10 | jq 'select(.type == "frame").ageMs'

Each second a line for each stream: frames and KiB a second, how old the newest frame was when it
came (by the camera's clock), and the stream's status. Alerts come in between. How the connection
stands goes to stderr.

--save writes every frame to a file <time of arrival>_<stream>_<number>.jpg, bit for bit. Of those
the newest --max-files stay, as in a flight recorder; what was in the folder before stays anyway.

--json writes {"type": "frame" | "alert" | "status" | "gap" | "state" | "error", …}. A frame has
streamId, timestamp, receivedAtMs, ageMs, bytes, and file if it was saved.

Environment:
${TOKEN_HELP}

Exit codes:
  0  ended with Ctrl-C, or after --seconds
  1  refused (no good session, somebody else's stream), no connection within --seconds, or a frame
     cannot be saved
  2  the command line is wrong`;

/** Adds `watch`. */
export function addWatch(program: Command): void {
  const command = program
    .command('watch')
    .summary('shows the frames and alerts of a stream as they come')
    .description('Shows the frames and alerts of a stream as they come.')
    .argument('[stream]', "name of the stream, or '*' for all of yours")
    .option('--save <folder>', 'write each frame to a file there')
    .option('--max-files <n>', 'with --save: keep the newest so many', whole(1, 1_000_000), 1000)
    .option('-a, --alerts', 'alerts only, no frames')
    .option('-j, --json', 'one JSON object a line, for programs')
    .option('--seconds <n>', 'end after so many seconds', number(0, 31_536_000))
    .option('--max-fps <n>', `frames a second at most: ${VIEWER_FPS.join(', ')}`, viewerFps)
    .addOption(new Option('--stream <id>').hideHelp())
    .addOption(new Option('--url <url>').argParser(routerAddress).hideHelp());
  addRouterOptions(command)
    .addHelpText('after', HELP)
    .action(async (argument: string | undefined, { stream, url, ...options }: WatchOptions & OldNames) => {
      const streamId = argument ?? stream;
      if (streamId === undefined)
        throw new Failure("Which stream? Name it, or say '*' for all of yours.", ExitCode.usage);
      if (streamId !== ALL_STREAMS && !STREAM_ID_PATTERN.test(streamId)) {
        throw new Failure(
          "The stream's name must be 1 to 128 of the characters A-Z a-z 0-9 _ . : - (or '*').",
          ExitCode.usage,
        );
      }
      if (options.alerts && options.save !== undefined) {
        throw new Failure('With --alerts there are no frames to --save.', ExitCode.usage);
      }
      const { runWatch } = await import('./watch-run.ts');
      await runWatch(streamId, { ...options, router: url ?? options.router });
    });
}

function viewerFps(text: string): number {
  const fps = VIEWER_FPS.find((each) => String(each) === text);
  if (fps === undefined) throw new InvalidArgumentError(`It must be one of ${VIEWER_FPS.join(', ')}.`);
  return fps;
}
