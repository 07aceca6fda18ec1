// Makes the compiled SDK a package of its own, `dist/client`: it has the project's name and version, and nothing of the server, so a web app that
// installs it gets one dependency and not twenty.
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'dist/client';

/** Before it is compiled: what is there is what will be packed. */
export function removeClientPackage() {
  rmSync(FOLDER, { recursive: true, force: true });
}

export function writeClientPackage() {
  const { name, version, license, engines, dependencies, peerDependencies, peerDependenciesMeta, exports } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  );
  const manifest = {
    name,
    version,
    description: 'Encoders and viewers for a Watchout Stream Router, for browsers and Node, with React hooks.',
    license,
    type: 'module',
    sideEffects: false,
    engines,
    exports: JSON.parse(JSON.stringify(exports).replaceAll(`./${FOLDER}/`, './')),
    dependencies: { '@msgpack/msgpack': dependencies['@msgpack/msgpack'] },
    peerDependencies,
    peerDependenciesMeta,
  };
  writeFileSync(join(FOLDER, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync('LICENSE', join(FOLDER, 'LICENSE'));
  copyFileSync('src/client/README.md', join(FOLDER, 'README.md'));
  copyFileSync('proto/PROTOCOL.md', join(FOLDER, 'proto/PROTOCOL.md'));
  pointAtDeclarations();
}

/** The compiler leaves the names of the sources in declarations; what is there are the declarations beside `.js` files. */
function pointAtDeclarations() {
  for (const path of readdirSync(FOLDER, { recursive: true })) {
    if (!path.endsWith('.d.ts')) continue;
    const file = join(FOLDER, path);
    const text = readFileSync(file, 'utf8');
    const mended = text.replaceAll(/(['"])(\.\.?\/[^'"]+)\.ts\1/g, '$1$2.js$1');
    if (mended !== text) writeFileSync(file, mended);
  }
}
