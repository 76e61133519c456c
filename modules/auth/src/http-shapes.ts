import { Type } from 'typebox'
import { passwordLength } from './domain/credentials.ts'

const tags = ['accounts']

const { min, max } = passwordLength
/** Longest text that is looked at, in characters; what is valid is shorter. */
const longest = 1_024

const credentials = Type.Object(
  {
    email: Type.String({
      maxLength: longest,
      description: 'Compared without regard to case.',
      documented: { format: 'email' },
    }),
    password: Type.String({
      maxLength: longest,
      description: `${min} to ${max} characters of any kind.`,
      documented: { minLength: min, maxLength: max },
    }),
  },
  { title: 'Credentials', examples: [{ email: 'ann@example.com', password: 'correct horse battery' }] },
)

const pairMembers = {
  access_token: Type.String({ description: 'A JWT for `Authorization: Bearer`.' }),
  expires_in: Type.Integer({ description: 'Seconds.' }),
  refresh_token: Type.String({ description: 'Opaque; good for one refresh.' }),
  refresh_expires_in: Type.Integer({ description: 'Seconds.' }),
  token_type: Type.Literal('bearer'),
}

const tokenPair = Type.Object(pairMembers, { title: 'TokenPair' })

const accountMembers = {
  id: Type.Integer(),
  email: Type.String(),
  created_at: Type.String({ format: 'date-time' }),
}

const refreshBody = Type.Object({ refresh_token: Type.String({ maxLength: 4_096 }) })

export const registerSchema = {
  tags,
  summary: 'Makes an account and logs in',
  body: credentials,
  response: { 201: Type.Object({ ...accountMembers, ...pairMembers }) },
}

export const loginSchema = {
  tags,
  summary: 'Logs in',
  description: 'Answers the same, after the same time, whether the e-mail or the password is wrong.',
  body: credentials,
  response: { 200: tokenPair },
}

export const refreshSchema = {
  tags,
  summary: 'Exchanges a refresh token for a new pair',
  description: 'The token is spent. Spent tokens that come again end the session: all its tokens are revoked.',
  body: refreshBody,
  response: { 200: tokenPair },
}

export const logoutSchema = {
  tags,
  summary: 'Ends the session of a refresh token',
  body: refreshBody,
  response: { 204: Type.Null({ description: 'Revoked, or not known (any more).' }) },
}

export const meSchema = {
  tags,
  summary: 'The account of the access token',
  response: { 200: Type.Object({ ...accountMembers, uid: Type.String({ format: 'uuid' }) }) },
}

export const ticketSchema = (streamRoutes: readonly string[]) => ({
  tags,
  summary: 'A ticket for a stream, for browsers, whose EventSource can send no header',
  description: 'Used as `?ticket=`: first within `expires_in` seconds, then for reconnections to that stream.',
  body: Type.Object(
    { route: Type.String({ description: 'The path of the stream.', documented: { enum: streamRoutes } }) },
    { examples: [{ route: '/orders-api/orders/stream' }] },
  ),
  response: { 201: Type.Object({ ticket: Type.String(), expires_in: Type.Integer({ description: 'Seconds.' }) }) },
})

const introspection = Type.Object({
  active: Type.Boolean(),
  token_type: Type.Optional(Type.Literal('bearer')),
  sub: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String()),
  iss: Type.Optional(Type.String()),
  aud: Type.Optional(Type.String()),
  iat: Type.Optional(Type.Integer()),
  exp: Type.Optional(Type.Integer()),
  jti: Type.Optional(Type.String()),
})

const introspectBody = Type.Object({ token: Type.String() })

export const introspectSchema = {
  tags,
  summary: 'Whether an access token is good, and whose it is (RFC 7662)',
  body: {
    content: {
      'application/x-www-form-urlencoded': { schema: introspectBody },
      'application/json': { schema: introspectBody },
    },
  },
  response: { 200: introspection },
}

export const keySetSchema = {
  tags,
  summary: 'The public keys of access tokens (RFC 7517)',
  response: {
    200: Type.Object({
      keys: Type.Array(
        Type.Object({
          kty: Type.Literal('OKP'),
          crv: Type.Literal('Ed25519'),
          x: Type.String(),
          kid: Type.String(),
          use: Type.Literal('sig'),
          alg: Type.Literal('EdDSA'),
        }),
      ),
    }),
  },
}
