import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An ML service that looks at nothing and answers at once: bodies are read and thrown away, so that it hardly costs anything beside what is measured.
 * `GET /count` tells how many requests were read to their end. Those that do otherwise: `ml-trouble.ts`.
 */
const ANSWERS: Readonly<Record<string, string>> = {
  '/analyze/batch': '{"alerts":[]}',
  '/analyze': '{"status":"ok"}',
};
let requests = 0;

const server = createServer((request, response) => {
  if (request.url === '/count') return answer(response, 200, JSON.stringify({ requests }));
  const text = ANSWERS[request.url ?? ''];
  request.resume();
  request.once('end', () => {
    if (request.method !== 'POST' || text === undefined) return answer(response, 404, '{"error":"not found"}');
    requests += 1;
    answer(response, 200, text);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`{"port":${(server.address() as AddressInfo).port},"msg":"listening"}\n`);
});
process.on('disconnect', () => process.exit(0));

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length }).end(text);
}
