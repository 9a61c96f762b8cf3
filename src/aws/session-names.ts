import { createHash } from 'node:crypto'

/** Limits of STS (AssumeRole, API version 2011-06-15); the SDK checks none of them. */
const longestName = 64
const longestTag = 256

/**
 * A login as RoleSessionName and SourceIdentity: 2–64 of letters, digits and `_+=,.@-`. Names that need mapping end in a digest, so
 * that two logins never get the same name: a login that looks like such a one is mapped, too.
 */
export function toSessionName(login: string): string {
  const allowed = login.replace(/[^\w+=,.@-]/g, '-')
  const isFit = allowed === login && login.length >= 2 && login.length <= longestName && !/^aws:/i.test(login)
  return isFit && !/-[0-9a-f]{8}$/.test(login) ? login : `${allowed.slice(0, 55)}-${digest(login)}`
}

/**
 * The same without `@`, which EKS writes as `-` where a username has `{{SessionName}}`: `a@b` and `a-b` would be one user of the cluster. What
 * cannot stand as it is, is written as in quoted-printable (`alice=40example.com`), so that no two logins share a name.
 */
export function toPlainSessionName(login: string): string {
  const escaped = [...Buffer.from(login)]
    .map((byte) => {
      const sign = String.fromCharCode(byte)
      return /[\w+,.-]/.test(sign) ? sign : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
  const isFit = escaped.length >= 2 && escaped.length <= longestName
  return isFit ? escaped : `${escaped.slice(0, 30)}==${digest(login, 32)}`
}

/** A value of a session tag: at most 256 letters, digits, blanks and `_.:/=+-@`. */
export function toTagValue(text: string): string {
  const allowed = text.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, '-')
  return allowed === text && text.length <= longestTag ? text : `${allowed.slice(0, longestTag - 9)}-${digest(text)}`
}

function digest(text: string, digits = 8): string {
  return createHash('sha256').update(text).digest('hex').slice(0, digits)
}
