/** Where to sign in anew, and back to this page afterwards. */
export function signInPath(): string {
  return `/login?${new URLSearchParams({ return_to: `${location.pathname}${location.search}` })}`
}
