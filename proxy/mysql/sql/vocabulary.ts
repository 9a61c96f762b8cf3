/** Words of MySQL's and MariaDB's SQL that mean something to the rules. */
import { toKeywordTable } from '../../recording/sql/word.ts'

const list = (text: string): readonly string[] => text.split(' ')
const words = (text: string): ReadonlySet<string> => new Set(list(text))

/** How a statement begins that may give passwords to users. */
export const userVerbs = words('create alter grant clone')
/** Words after which a statement begins, in the body of a routine. */
export const openings = words('begin atomic then else loop do repeat')
export const routines = words('procedure function trigger event')
/** What may follow the password of a user; the server refuses anything else, and has run nothing of the statement then. */
export const afterCredential = words(
  'and or require with default comment attribute password account replace retain discard initial add modify drop data failed_login_attempts password_lock_time using as by',
)
/** Behind them stands what no one has to keep secret: `IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'`. */
export const openPlugins = words('awsauthenticationplugin pam unix_socket auth_socket')
export const passwordNames = words('password passwd pwd authentication_string')
export const replicationPasswords = words('master_password source_password')
export const passwordFunctions = words('password old_password')
/** Options of tables that may hold connection strings. */
export const connectionOptions = words('connection comment option_list')

/** Arguments of procedures that are secrets, from 1 (Amazon RDS User Guide, "RDS for MySQL stored procedure reference"). */
export const secretArguments: Readonly<Record<string, number>> = {
  rds_set_external_master: 4,
  rds_set_external_master_with_auto_position: 4,
  rds_set_external_master_with_delay: 4,
  rds_set_external_source: 4,
  rds_set_external_source_with_auto_position: 4,
  rds_set_external_source_with_delay: 4,
  rds_set_external_source_for_channel: 4,
  rds_set_external_source_with_auto_position_for_channel: 4,
  rds_set_external_source_with_delay_for_channel: 4,
  rds_import_binlog_ssl_material: 1,
}

/** What precedes a parenthesis is a function that may run what it is given. */
export function mayRun(previous: string): boolean {
  return (previous === '?' || /^[a-z]/.test(previous)) && !transparent.has(previous)
}

/** Functions that only change the form of what they are given, and words that may precede a parenthesis without being one. */
const transparent = words(
  'password old_password md5 sha sha1 sha2 encrypt aes_encrypt aes_decrypt des_encrypt encode decode compress hex unhex to_base64 from_base64 crc32 concat concat_ws lower upper lcase ucase trim ltrim rtrim left right substr substring mid lpad rpad reverse repeat replace coalesce ifnull nullif if greatest least cast convert char binary quote row select value values distinct all case when then else and or xor not in as end union except intersect',
)

const commandWords =
  'kill hard soft query connection id user data xml low_priority concurrent local infile binlog show master slave replica slaves replicas replication group_replication source filter reset purge binary logs relaylog events stop prepare immediate'

export const keywords = toKeywordTable([
  ...new Set([
    ...userVerbs,
    ...openings,
    ...routines,
    ...afterCredential,
    ...openPlugins,
    ...passwordNames,
    ...replicationPasswords,
    ...passwordFunctions,
    ...connectionOptions,
    ...Object.keys(secretArguments),
    ...transparent,
    ...list(commandWords),
    ...list(
      'set change start call execute load identified via random to for from server table options insert update where returning on key partition',
    ),
  ]),
])
