import {
  defineSettings,
  durationMs,
  type ErrorRegistry,
  integer,
  oneOf,
  type SettingsOf,
  secret,
  text,
} from '@headrace/runtime'

/** The variables of this module. */
export const authSettings = defineSettings({
  JWT_ALGORITHM: oneOf(['HS256', 'EdDSA'], {
    default: 'HS256',
    doc: 'How access tokens are signed: HS256 with a secret, or EdDSA with a key whose public half is served at /.well-known/jwks.json.',
  }),
  JWT_SECRET: secret({
    doc: 'Signs access tokens with HS256, at least 32 bytes; the same in every process. Unset on this machine only = a random one, kept in HEADRACE_DATA.',
  }),
  JWT_SECRET_PREVIOUS: secret({ doc: 'The secret before this one: what it signed is still accepted.' }),
  JWT_PRIVATE_KEY: secret({
    doc: 'Signs access tokens with EdDSA: an Ed25519 key in PEM, its lines joined by \\n; the same in every process. Unset on this machine only = a random one, kept in HEADRACE_DATA.',
  }),
  JWT_PRIVATE_KEY_PREVIOUS: secret({ doc: 'The key before this one: what it signed is still accepted.' }),
  JWT_ISSUER: text({ default: 'headrace', doc: 'Who issues access tokens (iss); tokens of others are refused.' }),
  JWT_AUDIENCE: text({ default: 'headrace', doc: 'Whom access tokens are for (aud); tokens for others are refused.' }),
  ACCESS_TTL: integer({ default: 1800, min: 1, max: 86_400, doc: 'How long an access token is good for, in seconds.' }),
  REFRESH_TTL: integer({
    default: 604_800,
    min: 1,
    max: 31_536_000,
    doc: 'How long a refresh token is good for, in seconds: a session ends when nobody refreshes it for so long.',
  }),
  SESSION_TTL: integer({
    default: 7_776_000,
    min: 1,
    max: 31_536_000,
    doc: 'How long a session lasts at most, however often it is refreshed, in seconds.',
  }),
  LOGIN_MAX_FAILURES: integer({
    default: 5,
    min: 1,
    doc: 'Failed logins of one account within LOGIN_FAILURE_WINDOW_MS; beyond it logins are answered 429.',
  }),
  LOGIN_MAX_FAILURES_PER_ADDRESS: integer({
    default: 50,
    min: 1,
    doc: 'Failed logins and registrations from one address within LOGIN_FAILURE_WINDOW_MS; beyond it they are answered 429.',
  }),
  LOGIN_FAILURE_WINDOW_MS: durationMs({
    default: 300_000,
    min: 1_000,
    max: 86_400_000,
    doc: 'Failures are counted for so long from the first one on, in ms.',
  }),
})

export type AuthSettings = SettingsOf<typeof authSettings>

/** The topic of what happens to accounts; its key is the user's id. */
export const authEvents = 'auth-events'

/** An account was made. */
export interface UserCreated {
  readonly event: 'user_created'
  readonly id: number
  readonly email: string
  /** RFC 3339. */
  readonly ts: string
}

/** Somebody logged in. */
export interface LoggedIn {
  readonly event: 'login'
  readonly id: number
  /** RFC 3339. */
  readonly ts: string
}

export type AuthEvent = UserCreated | LoggedIn

/** The codes of this module. */
export const errors = {
  EMAIL_TAKEN: {
    retry: 'never',
    status: 409,
    title: 'the e-mail is taken',
    operator: 'Somebody has registered with this e-mail, perhaps in another case.',
  },
  INVALID_CREDENTIALS: {
    retry: 'never',
    status: 401,
    title: 'invalid credentials',
    operator: 'No account has this e-mail and password. Which of both is wrong is not told.',
  },
  INVALID_REFRESH: {
    retry: 'never',
    status: 401,
    title: 'invalid refresh token',
    operator:
      'The refresh token is unknown, expired, revoked or spent. A spent one that came again has ended its session: it may have been stolen.',
  },
} as const satisfies ErrorRegistry
