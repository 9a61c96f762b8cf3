import type { Register } from '../cli.ts'
import { durationArgument } from '../duration.ts'
import type { KubeCommandOptions } from './write-context.ts'

export const registerKube: Register = (program) => {
  program
    .command('kube <resource>')
    .description('write a context for kubectl, which then reaches the cluster through the broker')
    .option('--level <level>', 'access level (default: the one you hold a grant for)')
    .option('--context <name>', 'name of the context (default: sallyport-NAME)')
    .option('--namespace <namespace>', 'namespace of the context')
    .option('--no-current', 'leave the current context as it is')
    .option('--remove', 'remove the context again')
    .option('--token', 'write a token of its own into the context, for machines without sallyport')
    .option('--for <duration>', 'with --token: how long it is valid, e.g. 30m', durationArgument)
    .action(async (resource: string, options: KubeCommandOptions) => {
      const { kube } = await import('./write-context.ts')
      process.exitCode = await kube(program.opts(), resource, options)
    })
  program
    .command('kube-credential <resource>', { hidden: true })
    .description('print the credential that kubectl asks for')
    .option('--level <level>', 'access level')
    .action(async (resource: string, options: { level?: string }) => {
      const { kubeCredential } = await import('./credential.ts')
      process.exitCode = await kubeCredential({ ...program.opts(), ...options, resource })
    })
}
