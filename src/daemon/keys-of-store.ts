import { BrokerError } from '../../proxy/session.ts'
import type { Config } from '../config/config.ts'
import { type Keyring, keyFiles, missingKeys, openKeyring } from '../store/keyring.ts'
import { settledValue } from '../store/settings.ts'
import type { Db } from '../store/store.ts'

/**
 * Opens the keys that a store belongs to. Keys are made for a new store only: with others, every grant, token and signature in
 * it would be void, and the log would go on under a key that nobody has published.
 * @throws BrokerError CONFIG_INVALID when they are missing or others, or unreadable
 */
export async function openKeysOf(db: Db, config: Pick<Config, 'keysDir' | 'store'>): Promise<Keyring> {
  const missing = missingKeys(config.keysDir)
  if (missing.length > 0 && !(await isNew(db))) throw lost(config, `${missing.join(', ')} missing`)
  const keyring = openKeyring(config.keysDir)
  const signedWith = await lastSigningKey(db)
  if (signedWith !== undefined && signedWith !== keyring.signingKeyId)
    throw lost(config, `signing.pem is ${keyring.signingKeyId}, the log was signed with ${signedWith}`)
  const bound = JSON.parse(await settledValue(db, 'keys', () => JSON.stringify(keyring.ids))) as Partial<Keyring['ids']>
  const others = keyFiles.filter((name) => bound[name] !== keyring.ids[name])
  if (others.length > 0) throw lost(config, `not the ${others.join(', ')} of this store`)
  return keyring
}

/** Nothing was ever written down under its keys. */
async function isNew(db: Db): Promise<boolean> {
  const bound = await db.selectFrom('settings').select('key').where('key', '=', 'keys').executeTakeFirst()
  const event = await db.selectFrom('audit_events').select('seq').limit(1).executeTakeFirst()
  return bound === undefined && event === undefined
}

async function lastSigningKey(db: Db): Promise<string | undefined> {
  const row = await db.selectFrom('audit_checkpoints').select('body').orderBy('n', 'desc').limit(1).executeTakeFirst()
  return row && (JSON.parse(row.body) as { key: string }).key
}

function lost({ keysDir, store }: Pick<Config, 'keysDir' | 'store'>, what: string): BrokerError {
  return new BrokerError('CONFIG_INVALID', `keys.dir: ${what} (${keysDir}, store ${store.url})`, {
    hint:
      'Restore keys.dir from its backup. Without one, nothing in this store can be trusted: ' +
      'start anew with an empty store, keys.dir, state.dir and recordings.dir and new files in audit.anchors, ' +
      'and keep the old ones for the auditors.',
  })
}
