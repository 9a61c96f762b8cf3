import { BrokerError } from '../../proxy/session.ts'
import { rulesCheck } from '../access/rules/load-rules.ts'
import type { Config } from '../config/config.ts'
import { type Env, loadConfig } from '../config/load.ts'
import { formatProblems } from '../config/problems.ts'
import { kinds } from '../kinds/registry.ts'

/** The configuration of a daemon that does not run. @throws BrokerError CONFIG_INVALID with every problem */
export async function configOf({
  configFile,
  env,
}: {
  readonly configFile: string
  readonly env: Env
}): Promise<Config> {
  const loaded = await loadConfig(configFile, { env, kinds, checks: [rulesCheck(kinds)] })
  if (!loaded.ok) throw new BrokerError('CONFIG_INVALID', formatProblems(configFile, loaded.problems).trimEnd())
  return loaded.config
}
