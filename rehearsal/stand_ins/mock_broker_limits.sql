-- What the mock broker's limits remember, in a schema of their own beside the ledger's tables.

-- name: make_table!
create schema if not exists rehearsal;
create table if not exists rehearsal.mock_broker_deliveries (
    start text not null,
    topic text not null,
    broker_partition integer not null,
    broker_offset bigint not null,
    candid bigint not null,
    shutter_open timestamptz not null,
    packet_bytes integer not null,
    primary key (start, topic, broker_partition, broker_offset)
);

-- name: put_delivered!
insert into rehearsal.mock_broker_deliveries
    (start, topic, broker_partition, broker_offset, candid, shutter_open, packet_bytes)
select :start, n.topic, n.broker_partition, n.broker_offset, n.candid, n.shutter_open, n.packet_bytes
from unnest(:topics::text[], :partitions::integer[], :offsets::bigint[], :candids::bigint[], :times::timestamptz[],
            :sizes::integer[])
    as n (topic, broker_partition, broker_offset, candid, shutter_open, packet_bytes)
on conflict do nothing;

-- name: queue_lost!
-- What another start acknowledged within a night's time; of earlier ones nothing is remembered after this.
with lost as (
    delete from rehearsal.mock_broker_deliveries where start <> :start returning candid, shutter_open, topic
)
update outbox o set state = 'queued', queued_at = clock_timestamp()
from lost l
where o.candid = l.candid and o.shutter_open = l.shutter_open and o.topic = l.topic and o.state = 'acknowledged'
    and o.acknowledged_at > clock_timestamp() - interval '1 day';

-- name: unread_partitions
-- What the present start acknowledged from the given offsets on: in each partition its bytes, and the offsets of its
-- first and last message.
select d.topic, d.broker_partition, sum(d.packet_bytes)::bigint as bytes,
    min(d.broker_offset) as first_offset, max(d.broker_offset) as last_offset
from rehearsal.mock_broker_deliveries d
left join unnest(:topics::text[], :partitions::integer[], :offsets::bigint[])
    as c (topic, broker_partition, next_offset) using (topic, broker_partition)
where d.start = :start and d.broker_offset >= coalesce(c.next_offset, 0)
group by d.topic, d.broker_partition;

-- name: sent_unread$
-- Of each partition the last message that its consumer had not taken when it was last given up. By offsets, and not by
-- times: a clock may have been set back since.
select detail -> 'unread_to' as unread_to from events where kind = 'alerts_sent_unread' and subject = :start
order by event_id desc limit 1;
