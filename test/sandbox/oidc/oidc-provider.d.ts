/** The part of `oidc-provider` (which ships no types) that the sandbox uses. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'
  import type { Readable } from 'node:stream'

  export interface Interaction {
    readonly uid: string
    readonly params: Readonly<Record<string, unknown>>
    readonly prompt: { readonly name: string }
  }

  export interface ProviderContext {
    readonly path: string
    query: Readonly<Record<string, string | string[] | undefined>>
    /** Of the token endpoint's answer. */
    get body(): Record<string, string | undefined>
    set body(body: Record<string, string | undefined> | Readable)
    status: number
    readonly oidc: {
      readonly params?: Readonly<Record<string, unknown>>
      readonly client?: { readonly clientId: string }
      readonly entities: Readonly<Record<string, { readonly accountId?: string; readonly sid?: string } | undefined>>
    }
  }

  export default class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    readonly Client: {
      find(id: string): Promise<{ backchannelLogout(sub: string, sid: string): Promise<void> } | undefined>
    }
    readonly Grant: new (fields: {
      accountId: string
      clientId: string
    }) => {
      addOIDCScope(scope: string): void
      save(): Promise<string>
    }
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    use(middleware: (context: ProviderContext, next: () => Promise<void>) => Promise<void>): void
    on(event: 'grant.success', listener: (context: ProviderContext) => void): void
    on(event: 'server_error', listener: (context: ProviderContext, error: Error) => void): void
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<Interaction>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  }
}
