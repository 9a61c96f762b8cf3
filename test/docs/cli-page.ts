import type { Command } from 'commander'
import { createProgram } from '../../src/cli/cli.ts'
import { registers } from '../../src/cli/registers.ts'

const introduction = `# Command line

What \`sallyport COMMAND --help\` prints. Exit codes: 0 done, 1 failed, 2 usage, 3 not signed in, 4 denied (the reason is on
stderr), 5 unreachable. What \`--json\` prints is one document on stdout; instants in it are epoch milliseconds.
`

export function renderCli(): string {
  const program = createProgram(registers)
  return `${introduction}\n${[program, ...leavesOf(program)].map(section).join('\n')}`
}

/** Commands that do something, in the order of the help. */
function leavesOf(command: Command): Command[] {
  return command.commands.flatMap((one) => (one.commands.length > 0 ? leavesOf(one) : [one]))
}

function section(command: Command): string {
  command.configureHelp({ helpWidth: 100 })
  return `## ${nameOf(command)}\n\n\`\`\`text\n${command.helpInformation().trimEnd()}\n\`\`\`\n`
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()
}
