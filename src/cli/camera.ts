import { type Command, InvalidArgumentError } from 'commander';
import { STREAM_ID_PATTERN } from '../../proto/limits.ts';
import { number } from './numbers.ts';
import { addRouterOptions, type RouterOptions, TOKEN_HELP } from './router-options.ts';

/** `camera`, as the command line has it. */
export interface CameraOptions extends RouterOptions {
  stream?: string;
  name?: string;
  fps?: number;
  once?: true;
  quiet?: true;
  header?: Record<string, string>;
}

const HELP = `
Examples:
  $ watchout-router camera ./pictures --stream gate --fps 5
  $ watchout-router camera ./pictures --token $(watchout-router token)        to a demo
  $ watchout-router camera http://192.168.1.20/video.mjpg --stream yard
  $ watchout-router camera http://other:3000/streams/gate/live.mjpeg -H 'Authorization: Bearer …'
  $ watchout-router camera rtsp://user:password@192.168.1.21/main -s hall     with ffmpeg
  $ watchout-router camera walk.mp4 --once                                    with ffmpeg

Sources:
  a folder          its *.jpg and *.jpeg in the order of their names, again and again, bit for bit
  http://, https:// MJPEG (multipart/x-mixed-replace), or a JPEG that is asked for again and again
  anything else     what ffmpeg can read, if it is installed: rtsp://…, a video file, /dev/video0
A live source that ends is asked again, at first after a second, later every half minute.

Each second a line says how many pictures were sent, how many gave way to a newer one since the
network was slow ("replaced"), and how many did since nobody wanted so many ("throttled"): while
nobody watches, the router asks for one a second.

Environment:
${TOKEN_HELP}

Exit codes:
  0  ended with Ctrl-C, or --once and the source has ended
  1  refused (no good session, somebody else's stream), or the source is none
  2  the command line is wrong`;

/** Adds `camera`. */
export function addCamera(program: Command): void {
  const command = program
    .command('camera')
    .summary('sends the pictures of a folder, a camera or a video to a router')
    .description('Sends the pictures of a folder, a camera or a video to a router, as one stream.')
    .argument('<source>', 'a folder, an address, a file or a device')
    .option('-s, --stream <id>', 'name of the stream; default: that of the folder or host', streamId)
    .option('-n, --name <text>', 'name of the device, for dashboards')
    .option(
      '-f, --fps <n>',
      'pictures a second; of videos and MJPEG at most, as many as there are if not given (default: 10)',
      number(0.01, 1000),
    )
    .option('-1, --once', 'end with the source')
    .option('-q, --quiet', 'no line each second')
    .option('-H, --header <line>', 'a header for the source, as curl has it; may be repeated', header);
  addRouterOptions(command)
    .addHelpText('after', HELP)
    .action(async (source: string, options: CameraOptions) => {
      const { runCamera } = await import('./camera-run.ts');
      await runCamera(source, options);
    });
}

function streamId(text: string): string {
  if (STREAM_ID_PATTERN.test(text)) return text;
  throw new InvalidArgumentError('It must be 1 to 128 of the characters A-Z a-z 0-9 _ . : -');
}

function header(line: string, others: Record<string, string> | undefined): Record<string, string> {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*([\t\x20-\x7e]*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must look like "Name: value".');
  return { ...others, [name.toLowerCase()]: value };
}
