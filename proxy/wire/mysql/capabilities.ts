/** Capability flags (MySQL documentation, "Capabilities Flags"), as unsigned 32-bit numbers; combine them with the functions below. */
export const capability = {
  longPassword: 0x1,
  foundRows: 0x2,
  longFlag: 0x4,
  connectWithDatabase: 0x8,
  odbc: 0x40,
  localFiles: 0x80,
  ignoreSpace: 0x100,
  protocol41: 0x200,
  interactive: 0x400,
  tls: 0x800,
  transactions: 0x2000,
  secureConnection: 0x8000,
  multiStatements: 0x1_0000,
  multiResults: 0x2_0000,
  preparedMultiResults: 0x4_0000,
  pluginAuth: 0x8_0000,
  connectAttributes: 0x10_0000,
  lengthEncodedAuth: 0x20_0000,
  sessionTrack: 0x80_0000,
  deprecateEof: 0x100_0000,
} as const

/** What an exchange by plugins over protocol 4.1 needs. */
export const requiredCapabilities = combine(capability.protocol41, capability.secureConnection, capability.pluginAuth)

/**
 * What every server since MySQL 5.7 and MariaDB 10.2 has, and what needs no packet to be rewritten. Left out: compression, query
 * attributes, optional metadata, expired passwords, several factors, and MariaDB's extensions.
 */
export const commonCapabilities = combine(
  requiredCapabilities,
  capability.longPassword,
  capability.foundRows,
  capability.longFlag,
  capability.connectWithDatabase,
  capability.odbc,
  capability.localFiles,
  capability.ignoreSpace,
  capability.interactive,
  capability.transactions,
  capability.multiStatements,
  capability.multiResults,
  capability.preparedMultiResults,
  capability.connectAttributes,
  capability.lengthEncodedAuth,
  capability.sessionTrack,
)

/** These decide how packets are laid out or read: what a client was promised, its target must have. */
export const framingCapabilities = combine(
  capability.multiStatements,
  capability.multiResults,
  capability.preparedMultiResults,
  capability.sessionTrack,
  capability.deprecateEof,
  capability.transactions,
)

export function combine(...flags: readonly number[]): number {
  return flags.reduce((all, flag) => (all | flag) >>> 0, 0)
}

export function intersect(a: number, b: number): number {
  return (a & b) >>> 0
}

export function without(flags: number, removed: number): number {
  return (flags & ~removed) >>> 0
}

/** @returns whether all bits of `flag` are there */
export function has(flags: number, flag: number): boolean {
  return (flags & flag) >>> 0 === flag
}
