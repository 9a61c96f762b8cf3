import type { Command } from 'commander'
import { createProgram } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'

const program = createProgram(registers)

/** @param typed without `sallyport`. @returns what is wrong with a command; undefined: it is there, with its options. */
export function faultOf(typed: string): string | undefined {
  const words = typed
    .replaceAll(/\s+/g, ' ')
    .replace(/ # .*$/, '')
    .split(' ')
  let command: Command = program
  while (words[0] !== undefined && command.commands.length > 0) {
    const next = command.commands.find((one) => one.name() === words[0] || one.aliases().includes(words[0] ?? ''))
    if (!next) break
    command = next
    words.shift()
  }
  if (command === program && !/^[A-Z]+$/.test(words[0] ?? '')) return `no command ${words[0]}`
  const known = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short])
  known.push('--help')
  const end = words.indexOf('--')
  const unknown = (end < 0 ? words : words.slice(0, end)).find(
    (word) => /^--?[a-z]/.test(word) && !known.includes(word),
  )
  return unknown && `${command.name()} has no option ${unknown}`
}
