import { type IncomingHttpHeaders, request } from 'node:http';
import type { TestMessage } from './client.ts';
import { noteSecretsOf } from './evidence.ts';

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as JSON, without saying so. */
  body?: unknown;
  /** Sent as it is, instead. */
  text?: string | Buffer;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Of `{error: {code}}`. */
  code: string | undefined;
  /** Of `{error: {message}}`. */
  message: string | undefined;
  json: TestMessage;
  body: Buffer;
}

/** One plain request on a connection of its own, its path just as it is written. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body, text }: Asked = {},
): Promise<Answer> {
  noteSecretsOf(path, headers);
  const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
  const all = sent === undefined ? headers : { ...headers, 'content-length': `${Buffer.byteLength(sent)}` };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, method, headers: all, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks);
        const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
        const json = isJson && whole.length > 0 ? (JSON.parse(whole.toString('utf8')) as TestMessage) : {};
        const { code, message } = json['error'] ?? {};
        resolve({ status: response.statusCode ?? 0, headers: response.headers, code, message, json, body: whole });
      });
    });
    asked.on('error', reject);
    asked.end(sent);
  });
}
