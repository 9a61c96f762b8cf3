/** Words of SQL that mean something to the rules. */
import { toKeywordTable } from '../../recording/sql/word.ts'

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))
export const statementsOf = words('create alter import')
export const prefixes = words('explain analyze verbose')
/** Words of PL/pgSQL after which a statement begins. */
export const openings = words('begin then else loop')
/** How a body of PL/pgSQL begins. */
export const bodies = words('begin declare')
export const roleWords = words('role user group')
/** `PASSWORD` behind one of these is a role's name. */
export const beforeNames = words('role user group admin ,')
export const roleOptions = words(
  '; superuser nosuperuser createdb nocreatedb createrole nocreaterole inherit noinherit login nologin replication noreplication bypassrls nobypassrls connection encrypted unencrypted password valid in role admin user group sysid set reset rename',
)
export const secretNames = words(
  'password sslpassword passwd pwd secret token apikey api_key secret_key access_key private_key aws_secret_access_key secret_access_key u&',
)
export const passwordNames = words('password sslpassword passwd pwd')
/** What precedes a parenthesis is a function that may run what it is given. */
export function mayRun(previous: string): boolean {
  return (previous === '?' || /^[a-z]/.test(previous)) && !transparent.has(previous)
}

/** Functions that only change the form of what they are given, and words that may precede a parenthesis without being one. */
export const transparent = words(
  'crypt gen_salt md5 sha224 sha256 sha384 sha512 digest hmac encode decode encrypt pgp_sym_encrypt convert_to convert_from concat concat_ws format lower upper trim btrim ltrim rtrim substring substr left right coalesce nullif greatest least cast to_json to_jsonb row select values distinct all case when then else and or not in as end union except with materialized quote_literal quote_nullable',
)

const known = [
  ...['alter', 'create', 'import', 'update', 'begin', 'then', 'else', 'loop', 'declare', 'do'],
  ...['role', 'user', 'group', 'mapping', 'for', 'server', 'foreign', 'subscription', 'connection', 'options'],
  ...[
    'set',
    'reset',
    'where',
    'from',
    'returning',
    'null',
    'add',
    'drop',
    'admin',
    'rename',
    'encrypted',
    'unencrypted',
  ],
  ...['superuser', 'nosuperuser', 'createdb', 'nocreatedb', 'createrole', 'nocreaterole', 'inherit', 'noinherit'],
  ...['login', 'nologin', 'replication', 'noreplication', 'bypassrls', 'nobypassrls', 'valid', 'sysid', 'limit'],
  ...['password', 'sslpassword', 'secret', 'token', 'apikey', 'api_key', 'secret_key', 'access_key', 'private_key'],
  ...['aws_secret_access_key', 'secret_access_key', 'passwd', 'pwd'],
  ...['insert', 'returning', 'matched', 'uescape', 'using'],
  ...transparent,
  ...[
    'dblink',
    'dblink_connect',
    'dblink_connect_u',
    'dblink_exec',
    'dblink_open',
    'dblink_send_query',
    'dblink_fetch',
  ],
  ...[
    'atomic',
    'prepare',
    'explain',
    'analyze',
    'verbose',
    'deallocate',
    'discard',
    'execute',
    'all',
    'transaction',
    'function',
    'procedure',
    'language',
    'replace',
  ],
]

export const keywords = toKeywordTable(known)
