import { Type } from 'typebox'

/** The query parameter of every stream, for the schema of its route: `Type.Object({ ...lastEventIdQuery })`. */
export const lastEventIdQuery = {
  last_event_id: Type.Optional(
    Type.String({ description: 'Resumes behind this event, as the header `Last-Event-ID` does; 0 is the beginning.' }),
  ),
} as const
