import { type Command, InvalidArgumentError, Option } from 'commander';
import { findNotices } from '../demo/notice.ts';
import { ExitCode, Failure } from './failure.ts';
import { hideSecrets } from './hidden-url.ts';
import { note } from './terminal.ts';

const DEFAULT_ROUTER = 'http://127.0.0.1:3000';
/** What may stand in a header. */
const IN_HEADERS = /^[\x21-\x7e]+$/;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Which router, and who comes. */
export interface RouterOptions {
  router: string;
  token?: string | undefined;
}

/** For the help of commands that talk to a router. */
export const TOKEN_HELP = `  WATCHOUT_TOKEN  a session's token, where --token names none: others on this machine can read
                  command lines. Without either, --router may be a demo of yours on this machine,
                  whose token is taken then.`;

/** Adds `--router` and `--token`. */
export function addRouterOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-r, --router <url>', 'the router, with http, https, ws or wss')
        .argParser(routerAddress)
        .default(DEFAULT_ROUTER),
    )
    .addOption(new Option('-t, --token <token>', "a session's token").env('WATCHOUT_TOKEN'));
}

/**
 * The token to show. Undefined: there is none, and the router will say what it thinks of that.
 * @throws Failure for what can be none.
 */
export function tokenFor({ router, token }: RouterOptions): string | undefined {
  const given = token?.trim() ?? '';
  if (given !== '' && !IN_HEADERS.test(given)) {
    throw new Failure('The token has spaces or letters in it that no token has.', ExitCode.usage);
  }
  if (given !== '') return given;
  const { hostname, port, protocol } = new URL(router);
  if (!LOOPBACK.test(hostname) || !/^(http|ws):$/.test(protocol)) return undefined;
  const demo = findNotices().find((notice) => String(notice.port) === (port === '' ? '80' : port));
  if (demo !== undefined)
    note(`No token was given: taking that of the demo at ${demo.url}, which runs on this machine.`);
  return demo?.token;
}

/** An address that the SDK takes, without what belongs into `--token`. */
export function routerAddress(text: string): string {
  const address = /^[\w.-]+:\d+$|^localhost$/.test(text) ? `http://${text}` : text;
  if (!URL.canParse(address) || !/^(http|ws)s?:$/.test(new URL(address).protocol)) {
    throw new InvalidArgumentError('It must begin with http://, https://, ws:// or wss://.');
  }
  const { search, username, password } = new URL(address);
  if (search !== '' || username !== '' || password !== '') {
    // Not as above: that would repeat the argument.
    throw new Failure(
      `--router ${hideSecrets(address)}: no user and no query, please; the token goes into --token.`,
      ExitCode.usage,
    );
  }
  return address;
}
