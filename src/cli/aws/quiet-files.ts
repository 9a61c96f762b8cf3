import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readIfThere } from '../../../proxy/local/replace-file.ts'
import { configFilePath } from './config-file.ts'
import { quietConfig } from './quiet-config.ts'

/**
 * Files in place of all those in which tools look for credentials before they ask a container endpoint: the config file
 * without anything that gives some, and an empty one for every other.
 */
export async function quietFiles(
  env: NodeJS.ProcessEnv,
  cleanup: AsyncDisposableStack,
): Promise<Readonly<Record<string, string>>> {
  const text = String((await readIfThere(configFilePath(env))) ?? '')
  const named = env.AWS_PROFILE || env.AWS_DEFAULT_PROFILE || 'default'
  const dir = await mkdtemp(join(tmpdir(), 'sallyport-'))
  cleanup.defer(() => rm(dir, { recursive: true, force: true }))
  const [config, empty] = [join(dir, 'config'), join(dir, 'empty')]
  await writeFile(config, quietConfig(text, named), { mode: 0o600 })
  await writeFile(empty, '', { mode: 0o600 })
  return {
    AWS_CONFIG_FILE: config,
    AWS_SHARED_CREDENTIALS_FILE: empty,
    AWS_CREDENTIAL_PROFILES_FILE: empty, // Java, version 1
    BOTO_CONFIG: empty, // botocore, instead of /etc/boto.cfg and ~/.boto
  }
}
