// Compiles on every change and restarts the router with what came out.
import { spawn } from 'node:child_process';

const tsc = spawn('npx', ['tsc', '-p', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'], {
  stdio: 'inherit',
});
const router = spawn(process.execPath, ['--watch', 'dist/src/main.js'], { stdio: 'inherit' });
for (const child of [tsc, router]) {
  child.on('exit', (code) => {
    for (const other of [tsc, router]) other.kill();
    process.exitCode = code ?? 1;
  });
}
