import { ENVIRONMENT_VARIABLES, readConfig } from '../../config.ts';
import type { EnvFile } from '../../env-file.ts';
import { StartError } from '../../start-error.ts';
import { hideSecrets } from '../hidden-url.ts';

/** One variable of the router, as it may be shown. */
interface Variable {
  name: string;
  /** Without secrets. Undefined: it is unset, and has no default. */
  value: string | undefined;
  /** `environment`, the file's path, or `default`. */
  origin: string;
}

export interface CheckedEnvironment {
  variables: readonly Variable[];
  /** What is wrong, as the router would say it at its start; undefined: nothing. */
  faults: string | undefined;
  /** Names in the file that the router does not read. */
  unknown: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

/** By their names, so that one that is added later is hidden, too. */
const SECRET_NAME = /_(SECRET|TOKEN|KEY|PASSWORD)$/;
const HIDDEN = '***';

/** Judges what the router would find, and says where each value comes from. */
export function checkVariables(environment: Variables, file: EnvFile | undefined): CheckedEnvironment {
  const merged = { ...file?.values, ...environment };
  const faults = faultsOf(merged);
  const variables = ENVIRONMENT_VARIABLES.map((name): Variable => {
    const given = merged[name];
    if (given === undefined || given.trim() === '') return { name, value: defaultOf(name, merged), origin: 'default' };
    const origin = environment[name] === undefined ? (file?.path ?? '') : 'environment';
    return { name, value: shown(name, given), origin };
  });
  const unknown = Object.keys(file?.values ?? {}).filter((name) => !ENVIRONMENT_VARIABLES.includes(name));
  return { variables, faults, unknown };
}

function faultsOf(variables: Variables): string | undefined {
  try {
    readConfig(variables);
    return undefined;
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
}

/** By what the router makes of an empty environment, but for those that follow others. */
function defaultOf(name: string, variables: Variables): string | undefined {
  switch (name) {
    case 'HOST':
      return isSet(variables['DATABASE_URL']) ? '0.0.0.0' : '127.0.0.1';
    case 'BETTER_AUTH_URL':
      return 'http://localhost:3000';
    case 'ALLOWED_ORIGINS':
      return 'that of BETTER_AUTH_URL';
    case 'STREAM_ACCESS':
      return variables['AUTH_MODE'] === 'insecure-dev' ? 'authenticated' : 'owner';
    default: {
      const defaults: Readonly<Record<string, unknown>> = { ...readConfig({}) };
      return defaults[name] === undefined ? undefined : String(defaults[name]);
    }
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '';
}

function shown(name: string, value: string): string {
  if (SECRET_NAME.test(name)) return HIDDEN;
  // Services like Slack keep the key in the path.
  if (name.endsWith('_URL')) return hideSecrets(value, { hidesPath: name === 'ALERT_WEBHOOK_URL' });
  return value;
}
