-- What people may query: views with plain columns, and without password hashes, sessions, links' one-time ids and the answers kept for repeated
-- requests. A column is only ever added, at the end: `create or replace` keeps what was granted. Times are timestamptz.
create schema if not exists allclear_report;

create or replace view allclear_report.organizations as
select doc->>'id' as id, doc->>'name' as name, doc->>'slug' as slug, (doc->>'created_at')::timestamptz as created_at,
       (doc->>'suspended_at')::timestamptz as suspended_at
from allclear.organizations where doc->>'deleted_at' is null;

create or replace view allclear_report.members as
select o.doc->>'id' as organization_id, o.doc->>'name' as organization, u.doc->>'id' as user_id, u.doc->>'full_name' as full_name,
       m.doc->>'role' as role, (m.doc->>'joined_at')::timestamptz as joined_at
from allclear.members m
join allclear.organizations o on o.org_id = m.org_id and o.id = m.org_id and o.doc->>'deleted_at' is null
join allclear.users u on u.org_id = '00000000-0000-0000-0000-000000000000' and u.id = m.id;

create or replace view allclear_report.services as
select o.doc->>'id' as organization_id, o.doc->>'name' as organization, s.doc->>'id' as id, s.doc->>'name' as name, g.doc->>'name' as "group",
       s.status_4 as status, s.doc->>'own_status' as own_status, s.doc->>'visibility' as visibility, (s.doc->>'position')::int8 as position,
       (s.doc->>'created_at')::timestamptz as created_at, (s.doc->>'updated_at')::timestamptz as updated_at
from allclear.services s
join allclear.organizations o on o.org_id = s.org_id and o.id = s.org_id and o.doc->>'deleted_at' is null
left join allclear.groups g on g.org_id = s.org_id and g.doc->>'id' = s.doc->>'group_id'
where s.doc->>'deleted_at' is null;

create or replace view allclear_report.incidents as
select o.doc->>'id' as organization_id, o.doc->>'name' as organization, i.doc->>'id' as id, i.doc->>'title' as title, i.doc->>'status' as status,
       (i.doc->>'started_at')::timestamptz as started_at, (i.doc->>'resolved_at')::timestamptz as resolved_at,
       (i.doc->>'resolved_at')::timestamptz - (i.doc->>'started_at')::timestamptz as lasted,
       (i.doc->>'created_at')::timestamptz as created_at, (i.doc->>'updated_at')::timestamptz as updated_at
from allclear.incidents i
join allclear.organizations o on o.org_id = i.org_id and o.id = i.org_id and o.doc->>'deleted_at' is null
where i.doc->>'deleted_at' is null;

create or replace view allclear_report.incident_services as
select i.doc->>'id' as incident_id, touched.value->>'service_id' as service_id, touched.value->>'status' as status
from allclear.incidents i
join allclear.organizations o on o.org_id = i.org_id and o.id = i.org_id and o.doc->>'deleted_at' is null,
lateral jsonb_array_elements(i.doc->'affected') as touched
where i.doc->>'deleted_at' is null;

create or replace view allclear_report.incident_updates as
select i.doc->>'id' as incident_id, said.value->>'id' as id, said.value->>'status' as status, said.value->>'message' as message,
       said.value->'author'->>'name' as author, (said.value->>'created_at')::timestamptz as created_at
from allclear.incidents i
join allclear.organizations o on o.org_id = i.org_id and o.id = i.org_id and o.doc->>'deleted_at' is null,
lateral jsonb_array_elements(i.doc->'updates') as said
where i.doc->>'deleted_at' is null;

create or replace view allclear_report.timeline as
select o.doc->>'id' as organization_id, o.doc->>'name' as organization, l.seq, (l.doc->>'at')::timestamptz as at, l.doc->>'type' as type,
       l.doc->'actor'->>'kind' as actor_kind, l.doc->'actor'->>'name' as actor, l.doc->'subject'->>'kind' as subject_kind,
       l.doc->'subject'->>'id' as subject_id, l.doc->'subject'->>'name' as subject, l.doc->'data' as data
from allclear.log l
join allclear.organizations o on o.org_id = l.log and o.id = l.log and o.doc->>'deleted_at' is null;
