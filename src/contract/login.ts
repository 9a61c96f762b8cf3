import { Type } from 'typebox'
import { probedText } from './identity.ts'
import { Named } from './references.ts'
import { type RouteContract, roles } from './route-contract.ts'
import { count, flag, instant, list, object, oneOf, type Shape, text } from './schema.ts'

const Secret = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })
const MaxAge = Type.Integer({
  minimum: 0,
  maximum: 86_400,
  description: 'Seconds; 0 demands a new sign-in at the provider',
})
const Form = Type.String({ maxLength: 64 })
const Verdict = oneOf(['approve', 'deny'])

/** What a command gets at the end of a sign-in. */
const signedIn = {
  token: text('Bearer token of this login; never shown again'),
  loginId: text(),
  principal: Named,
  roles: list(oneOf(roles)),
  expiresAt: instant(),
  probed: Type.Optional(flag(probedText)),
}
const SignedIn = object(signedIn)
export type SignedIn = Shape<typeof SignedIn>

/** After RFC 8628, section 3.2. */
const DeviceCode = object({
  device_code: text('The secret of the command'),
  user_code: text('What the person enters'),
  verification_uri: text('Where the person enters it'),
  expires_in: count('Seconds'),
  interval: Type.Number({ description: 'Seconds between two polls' }),
})

/** Sign-in of browsers, and the pages that go with it. */
const pageRoutes = {
  'GET /': {
    summary: 'What the caller holds and waits for',
    access: 'public',
    hidden: true,
    answer: { 200: 'html', 303: 'redirect' },
  },
  'GET /pages.css': { summary: 'Style of the pages', access: 'public', hidden: true, answer: { 200: 'css' } },
  'GET /login': {
    summary: 'Sends a browser to the identity provider, and then back',
    access: 'public',
    query: object({
      return_to: Type.Optional(
        Type.String({
          maxLength: 16_000,
          description: 'A path of this server; for one of more than 1000 characters the browser goes to `/`',
        }),
      ),
      max_age: Type.Optional(MaxAge),
      acr: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Authentication context class' })),
    }),
    answer: { 303: 'redirect' },
  },
  'GET /callback/oidc': {
    summary: 'Where the identity provider sends the browser back',
    access: 'public',
    hidden: true,
    answer: { 303: 'redirect' },
  },
  'POST /callback/oidc/logout': {
    summary: 'Back-channel logout by the identity provider',
    access: 'public',
    hidden: true,
    // Open: providers may send more, which is to be ignored (Back-Channel Logout 1.0, section 2.5).
    body: Type.Object({ logout_token: Type.String({ minLength: 1, maxLength: 12_000 }) }),
    answer: { 200: 'nothing' },
  },
  'GET /logout': {
    summary: 'Asks whether to sign this browser out',
    access: 'user',
    hidden: true,
    answer: { 200: 'html' },
  },
  'POST /logout': {
    summary: 'Signs this browser out',
    access: 'user',
    interactive: true,
    hidden: true,
    answer: { 200: 'html' },
  },
  'GET /cli/confirm': {
    summary: 'Asks whether a command may sign in',
    access: 'public',
    hidden: true,
    answer: { 200: 'html' },
  },
  'POST /cli/confirm': {
    summary: 'Returns that decision to the command',
    access: 'public',
    hidden: true,
    body: object({ form: Form, decision: Verdict }),
    answer: { 303: 'redirect' },
  },
  'GET /device': {
    summary: 'Asks for the code of a command on another machine',
    access: 'public',
    hidden: true,
    query: object({ max_age: Type.Optional(MaxAge) }),
    answer: { 200: 'html', 303: 'redirect' },
  },
  'POST /device': {
    summary: 'Shows which command the code belongs to',
    access: 'public',
    hidden: true,
    body: object({ form: Form, user_code: Type.String({ maxLength: 64 }) }),
    answer: { 200: 'html', 400: 'html' },
  },
  'POST /device/decide': {
    summary: 'Decides whether that command may sign in',
    access: 'public',
    hidden: true,
    body: object({ form: Form, user_code: Type.String({ maxLength: 64 }), decision: Verdict }),
    answer: { 200: 'html' },
  },
} as const satisfies Record<string, RouteContract>

/** Sign-in of commands. */
export const loginRoutes = {
  ...pageRoutes,
  'GET /api/v1/cli/authorize': {
    summary: 'Begins the sign-in of a command that waits on a loopback port of the same machine',
    access: 'public',
    query: object({
      port: Type.Integer({ minimum: 1024, maximum: 65_535, description: 'Loopback port at which the command waits' }),
      state: Secret,
      challenge: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'S256 of the verifier' }),
      max_age: Type.Optional(MaxAge),
    }),
    answer: { 303: 'redirect' },
  },
  'POST /api/v1/cli/token': {
    summary: 'Completes it: exchanges the code from the loopback port for a login',
    access: 'public',
    body: object({ code: Secret, verifier: Type.String({ pattern: '^[A-Za-z0-9._~-]{43,128}$' }) }),
    answer: { 200: SignedIn },
  },
  'POST /api/v1/device': {
    summary: 'Begins the sign-in of a command without a browser on its machine',
    access: 'public',
    answer: { 200: DeviceCode },
  },
  'POST /api/v1/device/token': {
    summary: 'Asks whether the person has decided',
    access: 'public',
    body: object({ device_code: Secret }),
    answer: {
      200: object({ status: oneOf(['approved']), ...signedIn }),
      202: object({ status: oneOf(['pending', 'slow-down']) }),
    },
  },
} as const satisfies Record<string, RouteContract>
