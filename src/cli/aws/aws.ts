import { type Command, Option } from 'commander'
import { shells } from '../../../proxy/local/shell-quote.ts'
import type { Register } from '../cli.ts'
import { toPort } from '../connect/connect.ts'

interface ValidateAllOptions {
  readonly json?: boolean
  readonly last?: boolean
  readonly level?: string
  readonly login?: string
}

interface RoleOptions {
  readonly level?: string
}

export const registerAws: Register = (program) => {
  const aws = program
    .command('aws')
    .description('use IAM roles with AWS tools; the role may come first: sallyport aws ROLE env')
    .enablePositionalOptions()
  registerCredentialProcess(program, aws)
  registerEnv(program, aws)
  registerExec(program, aws)
  registerServeRole(program, aws)
  registerConsole(program, aws)
  registerConfigure(program, aws)
  registerPolicies(program, aws)
  registerPrepare(program, aws)
  registerValidate(program, aws)
  registerOnboard(program, aws)
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
    .description('print credentials as shell commands to evaluate; they are not renewed')
    .addOption(shellOption('shell to print for (default: from $SHELL)'))
    .option('--json', 'print JSON')
    .action(async (role: string, options: RoleOptions & { shell?: string; json?: boolean }) => {
      const { printEnv } = await import('./env.ts')
      process.exitCode = await printEnv(program.opts(), role, options)
    })
}

function registerExec(program: Command, aws: Command): void {
  withLevel(aws.command('exec <role> <command...>'))
    .description('run a command with the role; credentials are renewed while it runs')
    .usage('[options] <role> -- CMD')
    .action(async (role: string, command: string[], options: RoleOptions) => {
      const { execWithRole } = await import('./exec.ts')
      process.exitCode = await execWithRole(program.opts(), role, command, options)
    })
}

function registerServeRole(program: Command, aws: Command): void {
  withLevel(aws.command('serve <role>'))
    .description('serve credentials on loopback until Ctrl-C, as a container endpoint and, with --imds, as IMDSv2')
    .option('--port <port>', 'port on 127.0.0.1 (default: a free port)', toPort)
    .option('--imds', 'also serve the instance metadata API (IMDSv2), which every process on this machine can use')
    .option('--token-file <file>', 'write the endpoint token to this file, for AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE')
    .addOption(shellOption('shell to print for (default: from $SHELL)'))
    .option('--json', 'print JSON, one line')
    .action(async (role: string, options: import('./serve.ts').ServeOptions) => {
      const { serveRole } = await import('./serve.ts')
      process.exitCode = await serveRole(program.opts(), role, options)
    })
}

function registerConsole(program: Command, aws: Command): void {
  withLevel(aws.command('console <role>'))
    .description('open the AWS console with the role; of a permission set that you hold, its portal')
    .option('--service <service>', 'page to open: a service such as s3, or a console URL')
    .option('--region <region>', "region to show (default: the broker's first region)")
    .option('--print', 'print the link instead of opening it; anyone who has the link can use the session')
    .option('--json', 'print JSON')
    .action(async (role: string, options: import('./console.ts').ConsoleOptions) => {
      const { openConsole } = await import('./console.ts')
      process.exitCode = await openConsole(program.opts(), role, options)
    })
}

function registerConfigure(program: Command, aws: Command): void {
  aws
    .command('configure')
    .description(
      'add a profile to ~/.aws/config for each role you may use and each permission set you hold; your other profiles are not changed',
    )
    .option('--prefix <text>', 'prefix of the profile names', 'sallyport-')
    .option('--remove', 'remove the profiles that this command added')
    .option('--json', 'print JSON')
    .action(async (options: import('./configure.ts').ConfigureOptions) => {
      const { configure } = await import('./configure.ts')
      process.exitCode = await configure(program.opts(), options)
    })
}

function registerPolicies(program: Command, aws: Command): void {
  aws
    .command('policies')
    .description('print the trust and permission policies to install, with the reason for each action')
    .addOption(
      new Option('--format <format>', 'output format').choices(['json', 'terraform', 'cloudformation']).default('json'),
    )
    .option(
      '--feature <feature...>',
      "features to cover (default: what the broker's resources need; with --offline: all)",
    )
    .addOption(
      new Option('--trust <model>', 'how the roles in the accounts trust the broker')
        .choices(['hub', 'web_identity'])
        .default('hub'),
    )
    .option('--account <id>', "account the policies are for (default: the broker's first account)")
    .option('--compute-arn <arn>', 'identity that the daemon runs as')
    .option('--organization <id>', 'AWS organization, o-…')
    .option(
      '--database-users <pattern...>',
      'names of the database users; wildcards allowed (default: sallyport_* and what the levels of the broker need besides)',
    )
    .option('--offline', 'use placeholders instead of the settings of a broker')
    .option('--write <folder>', 'write files to this folder instead of standard output')
    .option('--json', 'print JSON, with reasons')
    .action(async (options: import('./policies.ts').PoliciesOptions) => {
      const { printPolicies } = await import('./policies.ts')
      process.exitCode = await printPolicies(program.opts(), options)
    })
}

function registerPrepare(program: Command, aws: Command): void {
  aws
    .command('prepare <resource>')
    .description(
      'print what to run once so that a database, an instance or a cluster takes the sign-ins of its levels; nothing is run',
    )
    .option('--login <name>', 'what one person needs, for levels whose db_user holds {login}')
    .option('--json', 'print JSON')
    .action(async (resource: string, options: { json?: boolean; login?: string }) => {
      const { prepare } = await import('./prepare.ts')
      process.exitCode = await prepare(program.opts(), resource, options)
    })
}

function registerOnboard(program: Command, aws: Command): void {
  aws
    .command('onboard')
    .description(
      'list the accounts of the organization with whether each lets the broker in, and write what those need that do not',
    )
    .addOption(
      new Option('--format <format>', 'what to write')
        .choices(['terraform', 'cloudformation'])
        .default('cloudformation'),
    )
    .option(
      '--write <folder>',
      'write templates for the accounts that are missing, with the values of this installation',
    )
    .option('--hub-arn <arn>', 'identity that accounts are to trust, where aws.hub_role_arn is not set')
    .option('--all', 'also try accounts that let the broker in when they were last tried')
    .option('--no-check', 'try nothing: show what the last run found')
    .option('--json', 'print JSON')
    .action(async (options: import('./onboard.ts').OnboardOptions) => {
      const { onboard } = await import('./onboard.ts')
      process.exitCode = await onboard(program.opts(), options)
    })
}

function registerValidate(program: Command, aws: Command): void {
  aws
    .command('validate [subject]')
    .description(
      'check what the hub and each account allow the broker, permission by permission, and whether requests can be approved; the subject is hub, rules, an account or a role; with a database, an instance or a cluster, sign in to it as each of its levels, and say what is missing or wider than the level',
    )
    .option('--last', 'show what the last run found, and run nothing')
    .option('--level <level>', 'only this level of the resource')
    .option('--login <name>', 'sign in as this person, for levels whose db_user holds {login}')
    .option('--json', 'print JSON')
    .action(async (named: string | undefined, options: ValidateAllOptions) => {
      if (options.last || named === undefined || /^(hub|rules|(account\/)?[0-9]{12}|iam-role\/.*)$/.test(named)) {
        const { validate } = await import('./validate.ts')
        process.exitCode = await validate(program.opts(), named, options)
        return
      }
      const { validateTarget } = await import('./validate-target.ts')
      const code = await validateTarget(program.opts(), named, options)
      const { validate } = await import('./validate.ts')
      process.exitCode = code ?? (await validate(program.opts(), named, options))
    })
}
