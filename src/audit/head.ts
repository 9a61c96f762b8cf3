import type { Keyring } from '../store/keyring.ts'
import type { Db } from '../store/store.ts'
import type { AuditTables } from './audit-tables.ts'

/** Where the log ends, signed. */
export type Head = AuditTables['audit_head']

export type HeadMacs = Pick<Keyring, 'mac' | 'checkMac'>

const purpose = 'audit-head'
export const headText = ({ installation, seq, hash }: Omit<Head, 'id' | 'mac'>) => `${installation} ${seq} ${hash}`

export function macOf(head: Omit<Head, 'id' | 'mac'>, keyring: Pick<Keyring, 'mac'>): string {
  return keyring.mac(purpose, headText(head))
}

/** Whether the broker wrote this head: without its key nobody can put events behind it. */
export function isHeadSigned(head: Head, keyring: HeadMacs): boolean {
  return head.mac !== null && keyring.checkMac(purpose, headText(head), head.mac)
}

/** An update rather than a select: it takes the row's lock in both stores. */
export function lockHead(db: Db) {
  return db.updateTable('audit_head').set({ id: 1 }).where('id', '=', 1).returningAll()
}
