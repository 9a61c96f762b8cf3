import { isDeepStrictEqual } from 'node:util'
import { rulesRefused } from '../../access/rules/rules-in-force.ts'
import type { LoadedConfig } from '../../config/config.ts'
import type { Parts } from '../parts.ts'

/** Sections of the configuration that a reload leaves as they are. */
export const needRestart = [
  'server',
  'store',
  'keysDir',
  'stateDir',
  'oidc',
  'aws',
  'listeners',
  'recordings',
  'audit',
  'limits',
] as const

/** Reloads the rules from the file; an invalid file is refused, and the old rules stay active. */
export async function reload(
  { access, audit, config, daemons, inventory, logger, metrics, validations }: Parts,
  load: () => Promise<LoadedConfig>,
): Promise<void> {
  const loaded = await load()
  if (!loaded.ok) {
    metrics.rulesDigestMismatch.set(1)
    for (const problem of loaded.problems) logger.error(problem, 'configuration refused; the old rules stay active')
    await audit.appendRemoval(rulesRefused(loaded.problems))
    return
  }
  for (const section of needRestart)
    if (!isDeepStrictEqual(loaded.config[section], config[section]))
      logger.warn({ section }, 'this section has changed in the file; the change takes effect after a restart')
  try {
    const reloaded = await access.reload(loaded.config)
    if (!reloaded.ok) return
    const isOther = !isDeepStrictEqual(loaded.config.inventory, inventory.sync.settings)
    inventory.use(loaded.config.inventory)
    if (isOther) await validations.requestAll()
    logger.info({ digest: reloaded.digest }, 'rules reloaded')
    await daemons.rulesAre(reloaded.digest)
  } catch (error) {
    metrics.rulesDigestMismatch.set(1)
    logger.error({ err: error }, 'the rules could not be reloaded; the old ones stay active')
  }
}
