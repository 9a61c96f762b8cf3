import type { ApiClient } from './api-client.ts'

/**
 * Contract (owned by the identity commands):
 * logins are kept in the OS's config folder, or in `SALLYPORT_HOME`, in `login.json`, mode 0600, folder 0700.
 * `apiClient(program)` returns the client for `--server`, else the server last signed in to.
 * @throws BrokerError LOGIN_REQUIRED (exit code 3)
 */
export type OpenApiClient = (options: { server?: string | undefined }) => Promise<ApiClient>
