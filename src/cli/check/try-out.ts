import { readConfig } from '../../config.ts';
import { checkDatabase } from './database.ts';
import type { Finding } from './finding.ts';
import { checkMlService } from './ml-service.ts';
import { checkWebhook } from './webhook.ts';

/**
 * Tries everything that the router would talk to.
 * @throws StartError for variables that are not usable.
 */
export async function tryOut(variables: Readonly<Record<string, string | undefined>>): Promise<Finding[]> {
  const config = readConfig(variables);
  const { auth, mlPlace, ALERT_WEBHOOK_URL: webhook } = config;
  const findings: (Finding[] | Promise<Finding | Finding[]>)[] = [
    auth === undefined ? [NO_DATABASE] : checkDatabase(auth, config.STREAM_OWNERS),
    mlPlace === undefined ? (auth === undefined ? [] : [NO_ML]) : checkMlService(mlPlace, config.ML_SERVICE_TOKEN),
    webhook === undefined ? [] : checkWebhook(webhook),
  ];
  return (await Promise.all(findings)).flat();
}

const NO_DATABASE: Finding = {
  kind: 'note',
  text: 'There is no DATABASE_URL: the router would start as a demo, with a database, a camera and an ML service of its own.',
};
const NO_ML: Finding = { kind: 'note', text: 'No ML service is set: no frame would be analysed.' };
