import { applyEnvFile, readEnvFile } from './env-file.ts';
import { exitWith, serve } from './serve.ts';

try {
  const file = readEnvFile();
  if (file !== undefined) applyEnvFile(file);
  await serve(({ url, streamId, token }) => `npm run -s watch -- --url ${url} --stream ${streamId} --token ${token}`);
} catch (error) {
  exitWith(error);
}
