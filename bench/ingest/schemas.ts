/** What both contenders validate and serialise, as the product does. */
export const body = {
  type: 'object',
  properties: {
    source: { type: 'string' },
    data: { type: 'string' },
    metadata: { type: 'object', additionalProperties: { type: 'string' } },
  },
} as const

export const answer = {
  type: 'object',
  properties: { messageId: { type: 'string' }, status: { type: 'string' }, durability: { type: 'string' } },
} as const
