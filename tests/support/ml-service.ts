import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode } from '@msgpack/msgpack';
import type { TestMessage } from './client.ts';

/** One request of the router, taken apart. */
export interface MlRequest {
  path: string;
  contentType: string;
  authorization: string | undefined;
  body: TestMessage;
}

export interface TestMlService {
  url: string;
  requests: MlRequest[];
  stop(): void;
}

/** What to answer: a status and a body (an object goes out as JSON, bytes as MessagePack), or nothing, ever. */
export type MlAnswer = { status: number; body?: object | Uint8Array } | 'hang';

/** A real HTTP server in the place of an ML service; `answer` decides what it says. */
export async function startTestMlService(answer: (request: MlRequest) => MlAnswer): Promise<TestMlService> {
  const requests: MlRequest[] = [];
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const contentType = request.headers['content-type'] ?? '';
    const body = (contentType.includes('msgpack') ? decode(bytes) : JSON.parse(bytes.toString())) as TestMessage;
    const { authorization } = request.headers;
    const taken: MlRequest = { path: request.url ?? '', contentType, authorization, body };
    requests.push(taken);
    const reply = answer(taken);
    if (reply === 'hang') return;
    const isBytes = reply.body instanceof Uint8Array;
    response.writeHead(reply.status, { 'content-type': isBytes ? 'application/msgpack' : 'application/json' });
    response.end(isBytes ? reply.body : JSON.stringify(reply.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, stop: () => server.close().closeAllConnections() };
}
