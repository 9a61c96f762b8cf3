import type { Greeting } from './startup.ts'

/** How a server greets, apart from what differs with each connection. */
export type RecordedGreeting = Pick<Greeting, 'version' | 'capabilities' | 'charset' | 'plugin' | 'reserved'>

const reserved = Buffer.alloc(10)
const latin1 = 8
const utf8mb4 = 255 // utf8mb4_0900_ai_ci, which no MariaDB below 11.4 knows
const sha2 = 'caching_sha2_password'
const native = 'mysql_native_password'

/**
 * What servers that do not run here say first, from public captures of them (a stock server with TLS set up, on Linux). They
 * differ in the high half of the capabilities: 0x100 DEPRECATE_EOF, 0x200 optional metadata, 0x400 zstd, 0x800 query
 * attributes, 0x1000 several factors.
 */
export const greetings = {
  mysql57: { version: '5.7.44', capabilities: 0xc1ff_ffff, charset: latin1, plugin: native, reserved },
  mysql80: { version: '8.0.42', capabilities: 0xdfff_ffff, charset: utf8mb4, plugin: sha2, reserved },
  mysql84: { version: '8.4.0', capabilities: 0xdfff_ffff, charset: utf8mb4, plugin: sha2, reserved },
  mysql90: { version: '9.0.1', capabilities: 0xdfff_ffff, charset: utf8mb4, plugin: sha2, reserved },
} as const satisfies Record<string, RecordedGreeting>
