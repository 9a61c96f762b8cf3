/** Option files of MySQL and MariaDB clients (MySQL documentation, "Using Option Files"). */

/** Undefined: an option without a value. */
export type Option = readonly [name: string, value?: string]

/** One group of an option file. @throws TypeError for control characters, which no value can hold */
export function optionGroup(group: string, options: readonly Option[]): string {
  return [
    `[${group}]`,
    ...options.map(([name, value]) => (value === undefined ? name : `${name}=${quote(value)}`)),
  ].join('\n')
}

/** In quotes, because # begins a comment and blanks at the ends are dropped; within them a backslash escapes. */
function quote(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new TypeError('an option file cannot hold control characters')
  return `"${value.replace(/["\\]/g, '\\$&')}"`
}
