// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** One line on stdout. What others wrote, an alert's message say, cannot give the terminal orders. */
export function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}

/** One line on stderr: how things stand, as opposed to what was asked for. */
export function note(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** Now, as people read it. */
export function clockTime(): string {
  return new Date().toTimeString().slice(0, 8);
}

/** Ends the process quietly when nobody reads its output any more, as with `| head`. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
}

function printable(text: string): string {
  return text.replaceAll(CONTROL, '\uFFFD');
}
