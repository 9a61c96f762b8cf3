import { type Command, Option } from 'commander'
import { shells } from '../../../proxy/local/shell-quote.ts'
import type { Register } from '../cli.ts'
import { toPort } from '../connect/connect.ts'

interface RoleOptions {
  readonly level?: string
}

export const registerAws: Register = (program) => {
  const aws = program
    .command('aws')
    .description('sessions of IAM roles for AWS tools; the role may come first: sallyport aws ROLE env')
    .enablePositionalOptions()
  registerCredentialProcess(program, aws)
  registerEnv(program, aws)
  registerExec(program, aws)
  registerServeRole(program, aws)
  registerConsole(program, aws)
  registerConfigure(program, aws)
  registerPolicies(program, aws)
  registerValidate(program, aws)
}

const withLevel = (command: Command) =>
  command.option('--level <level>', 'access level (default: the one you hold a grant for)')

const shellOption = (description: string) => new Option('--shell <shell>', description).choices(shells)

function registerCredentialProcess(program: Command, aws: Command): void {
  withLevel(aws.command('credential-process <role>'))
    .description('print credentials as JSON, for credential_process in ~/.aws/config')
    .action(async (role: string, options: RoleOptions) => {
      const { credentialProcess } = await import('./credential-process.ts')
      process.exitCode = await credentialProcess({ ...program.opts(), ...options, role })
    })
}

function registerEnv(program: Command, aws: Command): void {
  withLevel(aws.command('env <role>'))
    .description('print credentials as commands for a shell to evaluate; they are not renewed')
    .addOption(shellOption('whose commands (default: by $SHELL)'))
    .option('--json', 'print JSON')
    .action(async (role: string, options: RoleOptions & { shell?: string; json?: boolean }) => {
      const { printEnv } = await import('./env.ts')
      process.exitCode = await printEnv(program.opts(), role, options)
    })
}

function registerExec(program: Command, aws: Command): void {
  withLevel(aws.command('exec <role> <command...>'))
    .description('run a command with the role, renewed for as long as it runs; what follows -- is the command')
    .usage('[options] <role> -- CMD')
    .action(async (role: string, command: string[], options: RoleOptions) => {
      const { execWithRole } = await import('./exec.ts')
      process.exitCode = await execWithRole(program.opts(), role, command, options)
    })
}

function registerServeRole(program: Command, aws: Command): void {
  withLevel(aws.command('serve <role>'))
    .description('serve credentials on loopback until Ctrl-C: a container endpoint with a token, and IMDSv2')
    .option('--port <port>', 'port on 127.0.0.1 (default: a free one)', toPort)
    .option('--imds', 'also be an instance metadata service (IMDSv2), which any process of this machine may ask')
    .option('--token-file <file>', 'write the token to this file, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE')
    .addOption(shellOption('whose commands to print (default: by $SHELL)'))
    .option('--json', 'print JSON, one line')
    .action(async (role: string, options: import('./serve.ts').ServeOptions) => {
      const { serveRole } = await import('./serve.ts')
      process.exitCode = await serveRole(program.opts(), role, options)
    })
}

function registerConsole(program: Command, aws: Command): void {
  withLevel(aws.command('console <role>'))
    .description("open the AWS console with the role's session")
    .option('--service <service>', 'page to open: a service such as s3, or an address of the console')
    .option('--region <region>', 'region to show (default: the first of the broker)')
    .option('--print', 'print the link instead; whoever has it is in')
    .option('--json', 'print JSON')
    .action(async (role: string, options: import('./console.ts').ConsoleOptions) => {
      const { openConsole } = await import('./console.ts')
      process.exitCode = await openConsole(program.opts(), role, options)
    })
}

function registerConfigure(program: Command, aws: Command): void {
  aws
    .command('configure')
    .description('write a profile for each role you may use into ~/.aws/config; what is there stays')
    .option('--prefix <text>', 'begins the name of each profile', 'sallyport-')
    .option('--remove', 'take them out again')
    .option('--json', 'print JSON')
    .action(async (options: import('./configure.ts').ConfigureOptions) => {
      const { configure } = await import('./configure.ts')
      process.exitCode = await configure(program.opts(), options)
    })
}

function registerPolicies(program: Command, aws: Command): void {
  aws
    .command('policies')
    .description('print every trust and permission policy to install, with the reason for each action')
    .addOption(
      new Option('--format <format>', 'what to print').choices(['json', 'terraform', 'cloudformation']).default('json'),
    )
    .option('--feature <feature...>', 'roles, databases, revocation (default: all)')
    .addOption(new Option('--trust <model>', 'whom roles trust').choices(['hub', 'web_identity']).default('hub'))
    .option('--account <id>', "the account they are for (default: the broker's first)")
    .option('--compute-arn <arn>', 'the identity that the daemon runs as')
    .option('--organization <id>', 'the organization, o-…')
    .option('--database-users <pattern>', 'names of database users, with wildcards', 'sallyport_*')
    .option('--offline', 'placeholders instead of what the broker says of itself')
    .option('--write <folder>', 'write files instead')
    .option('--json', 'print JSON, reasons included')
    .action(async (options: import('./policies.ts').PoliciesOptions) => {
      const { printPolicies } = await import('./policies.ts')
      process.exitCode = await printPolicies(program.opts(), options)
    })
}

function registerValidate(program: Command, aws: Command): void {
  aws
    .command('validate [account]')
    .description('prove what each account lets the broker do, and that nobody gets in without the ExternalId')
    .option('--json', 'print JSON')
    .action(async (account: string | undefined, options: { json?: boolean }) => {
      const { validate } = await import('./validate.ts')
      process.exitCode = await validate(program.opts(), account, options)
    })
}
