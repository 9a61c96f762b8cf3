import type { Parsed, PersonalLevels } from '../../catalog/kind.ts'
import { isLoginName } from '../../catalog/login-name.ts'
import { type EngineUsers, placeholder } from './engine-users.ts'
import type { RdsLevel } from './level.ts'

export function isTemplate({ dbUser }: Pick<RdsLevel, 'dbUser'>): boolean {
  return dbUser.includes(placeholder)
}

/** Which database users a level signs in as, with wildcards as IAM has them. */
export function usersPattern({ dbUser }: Pick<RdsLevel, 'dbUser'>): string {
  return dbUser.replace(placeholder, '*')
}

/** Levels with a database user for each person: it must be no one else’s, whatever the person is called at the identity provider. */
export function personalUsers<L extends RdsLevel>({ longestUser, reserved }: EngineUsers): PersonalLevels<L> {
  return {
    memberOf: (level) => (isTemplate(level) ? 'db_user' : null),
    read: (level, loginName, all) => {
      const user = level.dbUser.replace(placeholder, loginName)
      if (user.length > longestUser)
        return refuse(
          `${user} is longer than ${longestUser} characters`,
          'an admin can shorten what surrounds {login} in db_user',
        )
      if (reserved.test(user))
        return refuse(
          `${user} is a name of the engine, of AWS or of administrators`,
          'an admin can put a prefix before {login}',
        )
      const isTaken = all.some((other) =>
        isTemplate(other)
          ? other.dbUser !== level.dbUser && isOfAnother(other.dbUser, user, loginName)
          : other.dbUser.toLowerCase() === user.toLowerCase(),
      )
      if (isTaken)
        return refuse(`${user} is also the database user of another level`, 'an admin can put a prefix before {login}')
      return { ok: true, value: { ...level, dbUser: user, isPersonal: true } }
    },
  }
}

/** Whether a level of this form gives the user to a person of another login name. */
function isOfAnother(template: string, user: string, loginName: string): boolean {
  const [before = '', after = ''] = template.split(placeholder)
  if (!user.startsWith(before) || !user.endsWith(after)) return false
  const theirs = user.slice(before.length, user.length - after.length)
  return isLoginName(theirs) && theirs !== loginName
}

function refuse(message: string, fix: string): Parsed<never> {
  return { ok: false, problems: [{ path: 'db_user', message, fix }] }
}
