import { parseArgs } from 'node:util';

const USAGE = `TOKEN=… node encoder.mjs SOURCE [--url http://127.0.0.1:3000] [--stream NAME] [--fps 10]

  SOURCE    a folder with .jpg files, which are shown round and round, or the http:// address of an MJPEG camera
  --url     the router's address
  --stream  what the stream is called; without it the router makes a name
  --fps     pictures a second of a folder; a camera has its own rate
  TOKEN     the token of a session`;

/** What the command line and the environment say. Ends the program with an explanation when that is not enough. */
export function readOptions() {
  const { values, positionals } = parse();
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const [source] = positionals;
  const fps = Number(values.fps);
  const token = process.env.TOKEN;
  if (source === undefined || positionals.length > 1) explain('SOURCE: there must be exactly one');
  if (!(fps > 0 && fps <= 60)) explain('--fps: must be a number over 0, at most 60');
  if (!URL.canParse(values.url)) explain('--url: must be an address like http://127.0.0.1:3000');
  if (!token) explain('TOKEN: is not set');
  return { source, isCamera: /^https?:\/\//.test(source), fps, url: values.url, token, streamId: values.stream };
}

/** Ends the program: this is what is wrong with how it was called. */
export function explain(fault) {
  console.error(`${fault}\n\n${USAGE}`);
  process.exit(2);
}

function parse() {
  const url = { type: 'string', default: 'http://127.0.0.1:3000' };
  const fps = { type: 'string', default: '10' };
  const options = { url, stream: { type: 'string' }, fps, help: { type: 'boolean', short: 'h' } };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return explain(error.message);
  }
}
